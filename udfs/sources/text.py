"""Text that others wrote, made storable. It stays hostile: nothing may interpret it."""

from typing import Any

LONGEST = 2000


def clean(value: Any, longest: int = LONGEST) -> str | None:
    """A scalar as stripped text that is valid UTF-8, cut at `longest` characters; None for nothing, an empty text or a container."""
    if value is None or isinstance(value, bool | list | dict):
        return None
    text = str(value).encode("utf-8", "replace").decode().replace("\0", "").strip()
    return text[:longest] or None
