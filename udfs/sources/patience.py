"""Manners towards the sites we fetch from: when to try again, when to stop, how long to wait."""

import contextlib
import fcntl
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from schemas.codes import Rejected
from udfs.sources.credentials import without_credentials

Result = TypeVar("Result")
LONGEST_BACK_OFF_S = 300.0
BOT_CHECK = re.compile(r"not a bot|confirm you.re|captcha|too many requests|HTTP Error 429", re.IGNORECASE)
TRANSIENT = re.compile(r"timed? ?out|connection|reset by peer|temporar|incomplete|bytes missing|more expected", re.IGNORECASE)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Refused(Rejected):
    """The site asks for a human or for patience: trying on would make it worse."""

    def __init__(self, detail: str) -> None:
        super().__init__("download_failed", detail)

    def __reduce__(self) -> tuple:
        return (Refused, (self.detail,))


def back_off_s(first_s: float, failures: int) -> float:
    """Seconds to wait after the failure numbered from 0: twice as long each time, with a cap."""
    return min(first_s * 2**failures, LONGEST_BACK_OFF_S)


class _TransientError(Exception):
    """A failure that may pass by itself."""


def patiently(attempt: Callable[[], Result], retries: int, first_back_off_s: float) -> Result:
    """Call `attempt` up to 1 + `retries` times while it fails in a way that may pass, waiting twice as long each time.

    Raises `Rejected` with one sentence, `Refused` at once when the site wants no more requests.
    """
    for failures in range(retries + 1):
        try:
            with explained():
                return attempt()
        except _TransientError as error:
            if failures == retries:
                raise Rejected("download_failed", f"{error} (tried {retries + 1} times)") from error
            time.sleep(back_off_s(first_back_off_s, failures))
    raise ValueError("retries is negative")


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn yt-dlp's errors into ours, each with one sentence."""
    from yt_dlp.utils import YoutubeDLError

    try:
        yield
    except YoutubeDLError as error:
        said = _sentence(error)
        if BOT_CHECK.search(said):
            raise Refused(f"the site asks for patience or for proof of a human: {said}; wait, raise --sleep, or give --cookies") from error
        status = _http_status(error)
        if (status is not None and status >= 500) or (status is None and TRANSIENT.search(said)):
            raise _TransientError(said) from error
        raise Rejected("download_failed", said) from error


def _sentence(error: Exception) -> str:
    text = _COLOUR.sub("", str(error)).replace("ERROR: ", "").split("; please report")[0]
    return without_credentials(" ".join(text.split()))[:300] or type(error).__name__


def _http_status(error: BaseException | None) -> int | None:
    """Status of the HTTP error that an error of yt-dlp's goes back to."""
    from yt_dlp.networking.exceptions import HTTPError

    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, HTTPError):
            return error.status
        inside = getattr(error, "exc_info", None)
        error = getattr(error, "cause", None) or (inside[1] if inside else None) or error.__cause__ or error.__context__
    return None


def wait_turn(sleep_s: float) -> None:
    """Wait until `sleep_s` seconds have passed since the last download on this machine began."""
    if sleep_s <= 0:
        return
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    handle = os.open(Path(tempfile.gettempdir(), f"talkvid-last-download-{os.getuid()}"), flags, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        left_s = float(os.read(handle, 40) or 0) + sleep_s - time.time()
        time.sleep(min(max(left_s, 0.0), sleep_s))
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{time.time():.3f}".encode(), 0)
    finally:
        os.close(handle)
