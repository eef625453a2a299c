"""Ids: safe file names, the same on every run (DESIGN.md, "Tables")."""

import re

_SAFE = re.compile(r"[A-Za-z0-9_-]{1,64}")
CLIP_SPAN = "-[0-9]{9,}-[0-9]{9,}"
"""What `clip_id` puts behind the id of the video, as a regular expression."""
_CLIP = re.compile(f"(?P<video>.+){CLIP_SPAN}")
_YOUTUBE = re.compile(r"[A-Za-z0-9_-]{11}")


def is_safe_id(text: str) -> bool:
    """True when `text` may be an id: 1 to 64 letters, digits, `_` or `-`, hence no path part and no quote."""
    return _SAFE.fullmatch(text) is not None


def is_youtube_id(text: str) -> bool:
    """True for the 11 characters of a YouTube video id."""
    return _YOUTUBE.fullmatch(text) is not None


def content_video_id(sha256_hex: str) -> str:
    """Id of a video without a platform id: the first 16 hex digits of its bytes' sha256, behind `h`."""
    return "h" + sha256_hex[:16]


def clip_id(video_id: str, start_s: float, end_s: float) -> str:
    """`{video_id}-{start_ms:09d}-{end_ms:09d}` of the span `[start_s, end_s)` in seconds."""
    return f"{video_id}-{round(start_s * 1000):09d}-{round(end_s * 1000):09d}"


def video_of(clip: str) -> str | None:
    """The video of a clip by its id alone, whether or not the lake still has the clip; None for a name that `clip_id` does not make."""
    found = _CLIP.fullmatch(clip)
    return found["video"] if found else None


def media_name(clip: str, extension: str) -> str:
    """File name of a clip's media: `v_` first, because a YouTube id may begin with `-`."""
    return f"v_{clip}.{extension.lstrip('.')}"
