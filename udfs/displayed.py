"""What makes decoded frames the picture that is meant to be seen. Every reader of pictures sends its stream through here:
`deinterlaced`, of which frames are chosen, then `squared`, then cropped or scaled down, then `toned`, which costs by the pixel."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from udfs.ffmpeg import run
from udfs.header import Header, is_absurd, read_header
from udfs.scorer import Clip

WHITE_NITS = 203
"""Brightness of white paper in HDR (BT.2408); it is a little below white in the SDR picture."""

PEAK_NITS = 1000
"""What becomes white in the SDR picture. The same for every file: what files say of their peak changes within a file, and is often wrong."""

HDR_EFFORT = 3.0
"""How many times as long HDR footage may take to decode as other footage."""

LEAST_FIELDS_PX = 4
"""ffmpeg takes no fields of smaller pictures apart."""

_PRIMARIES = frozenset({"bt2020", "bt709", "smpte432"})
_MATRICES = frozenset({"bt2020nc", "bt709", "ictcp", "smpte170m"})
_LISTING_S = 60.0


def deinterlaced(video: Any, header: Header) -> Any:
    """All of a decoder's frames, as many and at the same times, those that are two fields without combs; the stream itself unless its file
    is said to be interlaced. A frame is made with its neighbours: decoding begins `lead_frames` early.

    Shrinking to half the height or less mixes the fields as well, and needs none of this.
    """
    if not lead_frames(header):
        return video
    tick_s = header.time_base
    return video.filter("bwdif", mode="send_frame", deint="interlaced").filter("settb", f"{tick_s.numerator}/{tick_s.denominator}")


def lead_frames(header: Header) -> int:
    """How many frames before a wanted one must be decoded for it. A picture that is turned after decoding has no fields any more."""
    return int(header.interlaced and header.rotation == 0 and min(header.width, header.height) >= LEAST_FIELDS_PX)


def squared(video: Any, header: Header) -> Any:
    """The stream at the header's size, its pixels square and said to be; the stream itself when its file never said anything else."""
    return video if header.pixel_aspect == 1 else video.filter("scale", header.width, header.height).filter("setsar", 1)


def toned(video: Any, header: Header) -> Any:
    """The stream in the colours of SDR (BT.709, TV range, yuv444p), and said to be; the stream itself unless it is HDR and can be converted."""
    said = header.hdr
    if said is None or not can_tone_map():
        return video
    primaries = said.primaries if said.primaries in _PRIMARIES else "bt2020"
    matrix = said.matrix if said.matrix in _MATRICES else "bt2020nc"
    value_range = "pc" if said.range == "pc" else "tv"
    # zscale refuses odd sizes of pictures whose colours are stored at half size.
    known = video.filter("format", "yuv444p12le").filter("setparams", color_primaries=primaries, color_trc=said.transfer, colorspace=matrix, range=value_range)
    linear = known.filter("zscale", t="linear", npl=WHITE_NITS).filter("format", "gbrpf32le").filter("zscale", p="bt709")
    # Mobius keeps what is darker than a third of white, where faces are, as it is.
    mapped = linear.filter("tonemap", "mobius", desat=0, peak=f"{PEAK_NITS / WHITE_NITS:.6f}")
    return mapped.filter("zscale", t="bt709", m="bt709", r="tv").filter("format", "yuv444p").filter("sidedata", mode="delete")


@lru_cache(maxsize=1)
def can_tone_map() -> bool:
    """Whether this ffmpeg has the filters that `toned` needs."""
    words = run("ffmpeg", ["-hide_banner", "-filters"], limit_s=_LISTING_S).output.split()
    return b"zscale" in words and b"tonemap" in words


def effort(header: Header) -> float:
    """How many times as long as other footage it may take to decode."""
    return HDR_EFFORT if header.hdr else 1.0


def sized(clip: Clip, path: str | Path) -> Clip:
    """The clip with the size that frames of its file have, whatever its row says: older lakes hold sizes in stored pixels.

    A clip with a crop box has the box's size. Raises `Rejected` as `read_header` does.
    """
    header = read_header(path)
    return clip if clip.crop else replace(clip, width_px=header.width, height_px=header.height)


def remarks(header: Header) -> list[str]:
    """What a user is told of a file whose picture cannot be shown as the file claims it."""
    told = ["its pixels claim an absurd shape and are taken as square"] if is_absurd(header.pixel_aspect) else []
    return told + ["HDR colours are taken as they are: this ffmpeg has no zscale"] * (header.hdr is not None and not can_tone_map())
