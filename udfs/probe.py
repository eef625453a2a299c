"""What a media file is, and when each of its frames is shown: read from headers and packets, nothing decoded."""

import json
import os
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.codes import Rejected
from udfs.ffmpeg import Finished, ffprobe_arguments, run
from udfs.sniff import check_complete, sniff

VIDEO = "V:0"
"""ffmpeg's name of the first video stream that is no cover picture."""

HEADER_ENTRIES = (
    "format=start_time,duration:stream=index,codec_type,codec_name,width,height,avg_frame_rate,duration,"
    "time_base,sample_rate,field_order:stream_disposition=attached_pic:stream_side_data=rotation"
)
PACKET_LINE_BYTES = 96
"""More than a line of ffprobe's packet list takes."""

LONGEST_LAST_FRAME_S = 5.0

INVISIBLE_PACKETS = frozenset({"vp8"})
"""Codecs that store pictures which are never shown as packets of their own."""


@dataclass(frozen=True)
class Limits:
    """Caps that are checked before anything is decoded, and time limits. `decode_timeout_s` grows with the span to decode."""

    max_pixels: int = 8192 * 4320
    max_duration_s: float = 12 * 3600
    max_frames: int = 2_000_000
    probe_timeout_s: float = 60.0
    decode_base_s: float = 60.0
    decode_per_source_s: float = 20.0

    def decode_timeout_s(self, span_s: float) -> float:
        """Seconds that one may wait in all for the decoding of a span of `span_s` seconds."""
        return self.decode_base_s + self.decode_per_source_s * max(span_s, 0.0)


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Probe:
    """A media file in numbers. `width` x `height` is the upright picture, in pixels; `rotation` the clockwise turn (0, 90, 180, 270)
    that makes it so; `fps` the average; `start_s` the file's own time of its first video frame; `container` ffmpeg's demuxer name."""

    container: str
    video_codec: str
    audio_codec: str | None
    width: int
    height: int
    fps: float
    frames: int
    duration_s: float
    rotation: int
    has_audio: bool
    sample_rate: int | None
    start_s: float
    bytes: int


@dataclass(frozen=True)
class Header:
    """What a file says about itself, before its packets are read; None where it says nothing. Sizes are of the upright picture.

    Without a video stream `video_codec` is None and sizes are 0.
    """

    demuxer: str
    video_codec: str | None
    audio_codec: str | None
    width: int
    height: int
    rotation: int
    fps: float | None
    duration_s: float | None
    container_start_s: float
    time_base: Fraction
    sample_rate: int | None
    interlaced: bool
    bytes: int


@dataclass(frozen=True)
class Timeline:
    """Frames of the first video stream: `times_s` (ascending, 0 = first shown frame), the file's own time of that zero, and key frames' times."""

    times_s: NDArray[np.float64]
    origin_s: float
    key_times_s: NDArray[np.float64]
    header: Header

    @property
    def duration_s(self) -> float:
        """End of the last frame: as the file says where that can be, else one usual frame after the last began."""
        last_s, said_s = float(self.times_s[-1]), self.header.duration_s or 0.0
        return said_s if last_s < said_s < last_s + LONGEST_LAST_FRAME_S else last_s + typical_gap_s(self.times_s)


def probe(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> Probe:
    """Describe a file that holds video.

    Raises `Rejected`: vanished, not_media, forbidden_reference, no_video, truncated, too_large, timeout, decode_error.
    """
    line = timeline(path, limits)
    header, frames = line.header, len(line.times_s)
    duration_s = line.duration_s
    return Probe(
        container=header.demuxer,
        video_codec=header.video_codec or "",
        audio_codec=header.audio_codec,
        width=header.width,
        height=header.height,
        fps=header.fps or frames / duration_s,
        frames=frames,
        duration_s=duration_s,
        rotation=header.rotation,
        has_audio=header.audio_codec is not None,
        sample_rate=header.sample_rate,
        start_s=line.origin_s,
        bytes=header.bytes,
    )


def frame_times(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> NDArray[np.float64]:
    """When each video frame is shown, in seconds from the first, ascending: read from packets, so exact for variable frame rates.

    Read-only; the same array is given again while the file does not change. Raises `Rejected` as `probe` does.
    """
    return timeline(path, limits).times_s


def timeline(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> Timeline:
    """Frame times with what a decoder needs beside them; remembered for the last few files."""
    return _timeline(*_identity(path), limits)


def read_header(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> Header:
    """What the file says about itself, within the caps; remembered for the last few files. Raises `Rejected` as `probe` does."""
    return _header(*_identity(path), limits)


def typical_gap_s(times_s: NDArray[np.float64]) -> float:
    """Seconds a frame usually stays: the median distance of frames, 1/25 for a single one."""
    return float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.04


def explain(finished: Finished) -> Rejected:
    """The rejection that a failed run of ffmpeg or ffprobe means, told by what it logged."""
    said = "\n".join(finished.log)
    if "max pixel count" in said or "Picture size" in said:
        return Rejected("too_large", "it claims a picture of more pixels than the cap allows")
    if "moov atom not found" in said:
        return Rejected("truncated", "the file ends before its index (the moov box)")
    if "No such file or directory" in said:
        return Rejected("vanished", "the file is not there any more")
    if "Invalid data found when processing input" in said and "Error opening input" in said or "EBML header parsing failed" in said:
        return Rejected("not_media", "it begins like a video but holds nothing that can be read")
    last = next((line for line in reversed(finished.log) if "[error]" in line or "[fatal]" in line), f"exit status {finished.status}")
    return Rejected("decode_error", f"it could not be read: {last.rpartition('] ')[2].strip()[:200]}")


def _identity(path: str | Path) -> tuple[str, int, int]:
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
    said = json.loads(finished.output)
    streams = said.get("streams", [])
    video = next((s for s in streams if s.get("codec_type") == "video" and not s.get("disposition", {}).get("attached_pic")), {})
    audio = next((s for s in streams if s.get("codec_type") == "audio"), {})
    width, height = int(video.get("width", 0)), int(video.get("height", 0))
    if width * height > limits.max_pixels:
        raise Rejected("too_large", f"it claims {width}x{height} pixels, more than the {limits.max_pixels} allowed")
    if video and (width < 1 or height < 1 or "codec_name" not in video):
        raise explain(finished) if finished.log else Rejected("decode_error", "its video stream is of no kind that can be decoded")
    duration_s = float(video.get("duration", said.get("format", {}).get("duration", 0.0)))
    if duration_s > limits.max_duration_s:
        raise Rejected("too_large", f"it claims to last {duration_s:.0f} s, more than {limits.max_duration_s:g} s")
    rotation = _rotation(video)
    if rotation in (90, 270):
        width, height = height, width
    return Header(
        demuxer=demuxer,
        video_codec=video.get("codec_name"),
        audio_codec=audio.get("codec_name"),
        width=width,
        height=height,
        rotation=rotation,
        fps=_rate(video.get("avg_frame_rate")),
        duration_s=duration_s if duration_s > 0 else None,
        container_start_s=float(said.get("format", {}).get("start_time", 0.0)),
        time_base=Fraction(video.get("time_base", "1/1000")),
        sample_rate=int(audio["sample_rate"]) if audio.get("sample_rate", "").isdigit() else None,
        interlaced=video.get("field_order", "progressive") not in ("progressive", "unknown"),
        bytes=size,
    )


@lru_cache(maxsize=4)
def _timeline(path: str, size: int, changed_ns: int, limits: Limits) -> Timeline:
    header = _header(path, size, changed_ns, limits)
    if header.video_codec is None:
        raise Rejected("no_video", "the file has no video stream")
    by_decoding = header.video_codec in INVISIBLE_PACKETS or header.interlaced and header.demuxer in ("mpegts", "mpeg")
    entries = "frame=best_effort_timestamp,pkt_dts,key_frame" if by_decoding else "packet=pts,dts,flags"
    show = ["-select_streams", VIDEO, "-show_entries", entries, "-of", "csv=p=0"]
    limit_s = limits.decode_timeout_s(header.duration_s or limits.max_duration_s) if by_decoding else limits.probe_timeout_s + size / 10_000_000
    finished = run(
        "ffprobe",
        ffprobe_arguments(path, header.demuxer, max_pixels=limits.max_pixels, show=show),
        limit_s=limit_s,
        max_output_bytes=limits.max_frames * PACKET_LINE_BYTES,
    )
    shown = _by_decoding(finished.output) if by_decoding else _by_packets(finished.output)
    if not shown:
        raise explain(finished) if finished.status or finished.log else Rejected("no_video", "the video stream holds no frame")
    if len(shown) > limits.max_frames:
        raise Rejected("too_large", f"it has {len(shown)} frames, more than {limits.max_frames}")
    ticks = np.array(sorted(shown), dtype=np.int64)
    keys = np.array(sorted(tick for tick, is_key in shown.items() if is_key), dtype=np.int64)
    tick_s = header.time_base
    if (ticks[-1] - ticks[0]) * tick_s > limits.max_duration_s:
        raise Rejected("too_large", f"it lasts {float((ticks[-1] - ticks[0]) * tick_s):.0f} s, more than {limits.max_duration_s:g} s")
    times_s, key_times_s = (_seconds(values - ticks[0], tick_s) for values in (ticks, keys))
    return Timeline(times_s, float(int(ticks[0]) * tick_s), key_times_s, header)


def _by_packets(text: bytes) -> dict[int, bool]:
    """Time stamp -> is a key frame, of every packet that is shown (`D` marks those that an edit list discards)."""
    shown: dict[int, bool] = {}
    for line in text.splitlines():
        pts, dts, flags, *_ = (*line.split(b","), b"", b"", b"")
        stamp = pts if pts.lstrip(b"-").isdigit() else dts
        if b"D" not in flags and stamp.lstrip(b"-").isdigit():
            shown[int(stamp)] = b"K" in flags
    return shown


def _by_decoding(text: bytes) -> dict[int, bool]:
    """As `_by_packets`, of decoded frames; ffprobe's order of these fields is key_frame, time stamp, dts."""
    shown: dict[int, bool] = {}
    for line in text.splitlines():
        key, stamp, dts, *_ = (*line.split(b","), b"", b"", b"")
        stamp = stamp if stamp.lstrip(b"-").isdigit() else dts
        if stamp.lstrip(b"-").isdigit():
            shown[int(stamp)] = key == b"1"
    return shown


def _seconds(ticks: NDArray[np.int64], tick_s: Fraction) -> NDArray[np.float64]:
    seconds = ticks * float(tick_s.numerator) / float(tick_s.denominator)
    seconds.setflags(write=False)
    return seconds


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
