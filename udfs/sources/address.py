"""Addresses on the network: YouTube ids and links in all their forms, plain http(s) addresses, object stores."""

import re
from functools import lru_cache
from urllib.parse import parse_qs, urlsplit

from schemas.ids import is_youtube_id
from udfs.sources.credentials import without_credentials
from udfs.sources.source import Source

YOUTUBE_HOSTS = frozenset({"youtube.com", "youtube-nocookie.com"})
YOUTUBE_PATHS = frozenset({"shorts", "embed", "live", "v", "e"})
LONGEST_URL = 2000
_STORE = re.compile(r"(s3|s3a|s3n|gs|gcs|hdfs|abfs|abfss)://", re.IGNORECASE)
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")


def is_http(text: str) -> bool:
    """True for an http or https address with a host, without blanks or control characters."""
    if len(text) > LONGEST_URL or _UNPRINTABLE.search(text):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme.lower() in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def is_store(text: str) -> bool:
    """True for an address in an object store that pyarrow reads."""
    return _STORE.match(text) is not None


def youtube_id(text: str) -> str | None:
    """The video id of a bare YouTube id or of any usual form of link (watch, youtu.be, shorts, embed, live); else None."""
    if is_youtube_id(text):
        return text
    if not is_http(text):
        return None
    parts = urlsplit(text)
    host = ".".join((parts.hostname or "").split(".")[-2:])
    steps = [step for step in parts.path.split("/") if step]
    found = ""
    if host == "youtu.be" and steps:
        found = steps[0]
    elif host in YOUTUBE_HOSTS and steps[:1] == ["watch"]:
        found = parse_qs(parts.query).get("v", [""])[0]
    elif host in YOUTUBE_HOSTS and len(steps) > 1 and steps[0] in YOUTUBE_PATHS:
        found = steps[1]
    return found if is_youtube_id(found) else None


def youtube_url(video_id: str) -> str:
    """The one form in which a YouTube video's address is kept."""
    return f"https://www.youtube.com/watch?v={video_id}"


@lru_cache(maxsize=1024)
def download_source(text: str) -> Source | None:
    """The source that an id or address to download means; None when it is neither. Its credentials are for the fetch alone."""
    text = text.strip()
    video_id = youtube_id(text)
    if video_id:
        url = youtube_url(video_id)
        return Source(url, is_download=True, video_id=video_id, provenance={"platform": "youtube", "url": url})
    if is_http(text):
        kept = without_credentials(text)
        return Source(kept, is_download=True, provenance={"platform": "http", "url": kept}, fetch_uri=None if kept == text else text)
    return None
