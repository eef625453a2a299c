"""What a media file says about itself in its headers, and the caps it must keep before anything of it is decoded."""

import json
import os
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

from schemas.codes import Rejected
from udfs.ffmpeg import Finished, explain, ffprobe_arguments, run
from udfs.limits import DEFAULT_LIMITS, Limits
from udfs.sniff import check_complete, sniff

VIDEO = "V:0"
"""ffmpeg's name of the first video stream that is no cover picture."""

ONE_CLOCK = "`ffmpeg -i IN -c copy OUT.mp4` gives it one clock"
"""What mends a transport stream of joined recordings. One whose clock goes back by over a minute seems to last for more than a day."""

HEADER_ENTRIES = (
    "format=start_time,duration:stream=index,codec_type,codec_name,width,height,sample_aspect_ratio,avg_frame_rate,duration,has_b_frames,"
    "time_base,sample_rate,field_order,color_transfer,color_primaries,color_space,color_range:stream_disposition=attached_pic:stream_side_data=rotation"
)

SQUARE_WITHIN = Fraction(1, 100)
"""Pixels that are by less than this share wider or narrower than high are square: containers round their sizes (1280:1281)."""

MOST_STRETCHED = 4
"""No camera or broadcast stores pixels that are longer, side to side, than this: a file that claims it is wrong, and they are square."""

HDR_TRANSFERS = frozenset({"smpte2084", "arib-std-b67"})
"""PQ and HLG, by ffmpeg's names."""


@dataclass(frozen=True)
class Colours:
    """What colours a stream says it has, by ffmpeg's names; None where it says nothing."""

    transfer: str | None
    primaries: str | None
    matrix: str | None
    range: str | None


@dataclass(frozen=True)
class Header:
    """What a file says about itself, before its packets are read; None where it says nothing.

    Sizes are of the displayed picture: upright, with square pixels. `pixel_aspect` is width to height of a stored pixel, before rotation, as the
    file says it; `hdr` are the colours of footage in HDR, None for all other. Without a video stream `video_codec` is None and sizes are 0.
    """

    demuxer: str
    video_codec: str | None
    audio_codec: str | None
    width: int
    height: int
    pixel_aspect: Fraction
    hdr: Colours | None
    rotation: int
    fps: float | None
    duration_s: float | None
    container_start_s: float
    time_base: Fraction
    sample_rate: int | None
    interlaced: bool
    reordered: bool
    bytes: int


def read_header(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> Header:
    """What the file says about itself, within the caps; remembered for the last few files. Raises `Rejected` as `probe` does."""
    return _header(*identity(path), limits)


def identity(path: str | Path) -> tuple[str, int, int]:
    """Absolute path, bytes and time of change: what to remember findings about a file by. Raises `Rejected("vanished")`."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise Rejected("vanished", "the file is not there any more") from None
    return os.path.abspath(path), status.st_size, status.st_mtime_ns


@lru_cache(maxsize=16)
def _header(path: str, size: int, changed_ns: int, limits: Limits) -> Header:
    demuxer = sniff(path)
    if demuxer == "mov":
        check_complete(path)
    show = ["-show_entries", HEADER_ENTRIES, "-of", "json"]
    finished = run("ffprobe", ffprobe_arguments(path, demuxer, max_pixels=limits.max_pixels, show=show), limit_s=limits.probe_timeout_s)
    if finished.status != 0:
        raise _unreadable(finished)
    if explain(finished).code == "too_large":
        raise explain(finished)
    said = json.loads(finished.output)
    streams = said.get("streams", [])
    video = next((s for s in streams if s.get("codec_type") == "video" and not s.get("disposition", {}).get("attached_pic")), {})
    audio = next((s for s in streams if s.get("codec_type") == "audio"), {})
    width, height = int(video.get("width", 0)), int(video.get("height", 0))
    if width * height > limits.max_pixels:
        raise Rejected("too_large", f"it claims {width}x{height} pixels, more than the {limits.max_pixels} allowed")
    if video and (width < 1 or height < 1 or "codec_name" not in video):
        raise explain(finished) if finished.log else Rejected("decode_error", "its video stream is of no kind that can be decoded")
    of_container = said.get("format", {})
    duration_s = float(video.get("duration", of_container.get("duration", 0.0)))
    if duration_s > limits.max_duration_s:
        restarts = f"; if its clock restarts, {ONE_CLOCK}" if demuxer == "mpegts" else ""
        raise Rejected("too_large", f"it claims to last {duration_s:.0f} s, more than {limits.max_duration_s:g} s{restarts}")
    pixel_aspect = _pixel_aspect(video.get("sample_aspect_ratio"))
    width, height = displayed_size(width, height, pixel_aspect)
    if width * height > limits.max_pixels:
        raise Rejected("too_large", f"with square pixels it has {width}x{height}, more than the {limits.max_pixels} pixels allowed")
    rotation = _rotation(video)
    if rotation in (90, 270):
        width, height = height, width
    return Header(
        demuxer=demuxer,
        video_codec=video.get("codec_name"),
        audio_codec=audio.get("codec_name"),
        width=width,
        height=height,
        pixel_aspect=pixel_aspect,
        hdr=_hdr(video),
        rotation=rotation,
        fps=_rate(video.get("avg_frame_rate")),
        duration_s=duration_s if duration_s > 0 else None,
        container_start_s=float(of_container.get("start_time", 0.0)),
        time_base=Fraction(video.get("time_base", "1/1000")),
        sample_rate=int(audio["sample_rate"]) if audio.get("sample_rate", "").isdigit() else None,
        interlaced=video.get("field_order", "progressive") not in ("progressive", "unknown"),
        reordered=int(video.get("has_b_frames", 0)) > 0,
        bytes=size,
    )


def displayed_size(width: int, height: int, pixel_aspect: Fraction) -> tuple[int, int]:
    """Size with square pixels of a picture of `width` x `height` stored ones: the side that is too short is stretched, to an even number."""
    if is_absurd(pixel_aspect) or max(pixel_aspect, 1 / pixel_aspect) <= 1 + SQUARE_WITHIN:
        return width, height
    if pixel_aspect > 1:
        return round(width * pixel_aspect / 2) * 2, height
    return width, round(height / pixel_aspect / 2) * 2


def is_absurd(pixel_aspect: Fraction) -> bool:
    """Whether a file that claims this shape of its pixels must be wrong."""
    return max(pixel_aspect, 1 / pixel_aspect) > MOST_STRETCHED


def _pixel_aspect(text: str | None) -> Fraction:
    """1 where nothing is said."""
    width, _, height = (text or "").partition(":")
    return Fraction(int(width), int(height)) if width.isdigit() and height.isdigit() and int(width) and int(height) else Fraction(1)


def _hdr(video: dict[str, Any]) -> Colours | None:
    said = Colours(*(video.get(f"color_{name}") for name in ("transfer", "primaries", "space", "range")))
    return said if said.transfer in HDR_TRANSFERS else None


def _rotation(video: dict[str, Any]) -> int:
    """Clockwise degrees, from the display matrix, whose angle counts the other way round."""
    for side_data in video.get("side_data_list", []):
        if "rotation" in side_data:
            return round(-float(side_data["rotation"]) / 90) * 90 % 360
    return 0


def _rate(text: str | None) -> float | None:
    numerator, _, denominator = (text or "0/0").partition("/")
    return int(numerator) / int(denominator) if int(denominator or 1) and int(numerator) else None


def _unreadable(finished: Finished) -> Rejected:
    rejected = explain(finished)
    return Rejected("not_media", rejected.detail) if rejected.code == "decode_error" else rejected
