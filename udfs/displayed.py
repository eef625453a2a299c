"""What makes decoded frames the picture that is meant to be seen. Every reader of pictures sends its stream through here."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from udfs.header import Header, is_absurd, read_header
from udfs.scorer import Clip


def squared(video: Any, header: Header) -> Any:
    """The stream at the header's size, its pixels square and said to be; the stream itself when its file never said anything else."""
    return video if header.pixel_aspect == 1 else video.filter("scale", header.width, header.height).filter("setsar", 1)


def sized(clip: Clip, path: str | Path) -> Clip:
    """The clip with the size that frames of its file have, whatever its row says: older lakes hold sizes in stored pixels.

    A clip with a crop box has the box's size. Raises `Rejected` as `read_header` does.
    """
    header = read_header(path)
    return clip if clip.crop else replace(clip, width_px=header.width, height_px=header.height)


def remarks(header: Header) -> list[str]:
    """What a user is told of a file whose picture cannot be shown as the file claims it."""
    return ["its pixels claim an absurd shape and are taken as square"] if is_absurd(header.pixel_aspect) else []
