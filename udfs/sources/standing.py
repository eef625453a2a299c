"""Whether a platform still shows a video, and under which licence: asked without fetching its media."""

import re
from dataclasses import dataclass

from schemas.codes import Rejected
from udfs.sources.patience import Refused, patiently, wait_turn
from udfs.sources.text import clean
from udfs.sources.youtube import Download, session

GONE = re.compile(r"HTTP Error (404|410)|private video|video is private|been removed|removed by|been deleted|been terminated", re.IGNORECASE)
MAYBE_GONE = re.compile(r"\bunavailable\b|does not exist|no longer available", re.IGNORECASE)
NOT_GONE = re.compile(r"country|region|geo|sign in|log ?in|age[- ]restrict|members|premiere", re.IGNORECASE)
"""The video is there, only not for whoever asks."""
_CREATIVE_COMMONS = re.compile(r"creative ?commons|\bcc[ -](by|0)|\bcc0\b", re.IGNORECASE)


@dataclass(frozen=True)
class Standing:
    """`state`: there, gone, unknown (the platform did not say). `tells_licences` where it does at all: then `licence` None is one too."""

    state: str
    licence: str | None = None
    tells_licences: bool = False
    detail: str = ""


def standing(url: str, options: Download) -> Standing:
    """Ask the platform. Raises `Refused` when it wants no more requests."""
    wait_turn(options.sleep_s)
    try:
        return patiently(lambda: _ask(url, options), options.retries, options.first_back_off_s)
    except Refused:
        raise
    except Rejected as rejected:
        said = rejected.detail
        is_gone = GONE.search(said) or (MAYBE_GONE.search(said) and not NOT_GONE.search(said))
        return Standing("gone" if is_gone else "unknown", detail=said)


def _ask(url: str, options: Download) -> Standing:
    with session(options) as client:
        info = client.extract_info(url, download=False, process=False)
    if not info:
        return Standing("unknown", detail="the platform said nothing")
    return Standing("there", clean(info.get("license")), str(info.get("extractor_key")).lower() != "generic")


def is_still_under(before: str | None, now: Standing) -> bool:
    """False when the platform names another licence than the one under which the video was taken."""
    return before is None or not now.tells_licences or _kind(before) == _kind(now.licence)


def _kind(licence: str | None) -> str:
    """Licences in the words of several platforms: Creative Commons is one kind, everything else is its own words."""
    if licence and _CREATIVE_COMMONS.search(licence):
        return "creative commons"
    return " ".join((licence or "").lower().split())
