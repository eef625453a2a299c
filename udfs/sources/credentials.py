"""Passwords and signatures in addresses: a fetch may need them, nothing else may keep them.

What is kept is the same for all signatures of one object, and says that the address was one with credentials.
"""

import re
from urllib.parse import urlsplit, urlunsplit

HIDDEN = "hidden"
_SECRET = re.compile(
    r"x-(amz|goog)-(signature|credential|security-token)|signature|sig|hdn(ts|ea)|policy|.*(token|secret|passw(or)?d|api[_-]?key|access[_-]?key).*",
    re.IGNORECASE,
)
"""Names of parameters that give access."""
_BESIDE = re.compile(
    r"x-(amz|goog)-.*|awsaccesskeyid|googleaccessid|key-pair-id|expires|s[viretps]|s[kp]r|s[ir]p|srt|ske|sks|skv|skt|skoid|sktid", re.IGNORECASE
)
"""Names of parameters that go with such a one, and are others each time."""
_ADDRESS = re.compile(r"https?://[^\s\"<>]+", re.IGNORECASE)
_WAS_GIVEN = re.compile(rf"//{HIDDEN}@|[?&]signature={HIDDEN}(?:[&#]|$)")


def without_credentials(text: str) -> str:
    """A text whose http addresses hold no credentials any more, only that there were some. Other texts stay as they are."""
    return _ADDRESS.sub(lambda found: _kept(found[0]), text)


def had_credentials(address: str) -> bool:
    """True for a kept address that was given with credentials: without them the site's answer says nothing of what lies there."""
    return _WAS_GIVEN.search(address) is not None


def _kept(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    _, given, host = parts.netloc.rpartition("@")
    named = [(part.partition("=")[0], part) for part in parts.query.split("&")]
    query = parts.query
    if any(_SECRET.fullmatch(name) for name, _ in named):
        left = [part for name, part in named if not _SECRET.fullmatch(name) and not _BESIDE.fullmatch(name)]
        query = "&".join([*left, f"signature={HIDDEN}"])
    if not given and query == parts.query:
        return address
    return urlunsplit(parts._replace(netloc=f"{HIDDEN}@{host}" if given else host, query=query))
