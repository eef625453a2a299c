"""When each frame of a video is shown: read from packets, without decoding wherever the packets say it."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from heapq import heappush, heappushpop
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from schemas.codes import Rejected
from udfs.ffmpeg import Process, explain, ffmpeg_arguments, ffprobe_arguments, run, source
from udfs.header import ONE_CLOCK, VIDEO, Header, identity, read_header
from udfs.limits import DEFAULT_LIMITS, Limits
from udfs.showinfo import ShowinfoReader

PACKET_LINE_BYTES = 96
"""More than a line of ffprobe's packet list takes."""

SLOWEST_READ_BYTES_PER_S = 10_000_000
"""Reading all packets may take this long beyond the probe's own time limit."""

LONGEST_LAST_FRAME_S = 5.0

GLITCH_FRAMES = 2
"""As many frames in a row may have a wrong time stamp; more of them out of order mean that the file's clock restarts."""

DOUBLED_SHARE = 0.05
"""As large a share of the frames may have the time stamp of another one, in a short file as many as in one of 100; they are left out."""

ANEW = "if it was joined from several recordings, join them anew with ffmpeg's concat demuxer"

MOST_REORDERED = 16
"""Frames that may be decoded before one that is shown before them: what the codecs allow at most."""

INVISIBLE_PACKETS = frozenset({"vp8"})
"""Codecs that store pictures which are never shown as packets of their own."""


@dataclass(frozen=True)
class Timeline:
    """Frames of the first video stream: `times_s` (ascending, 0 = first shown frame), the file's own time of that zero, and key frames' times."""

    times_s: NDArray[np.float64]
    origin_s: float
    key_times_s: NDArray[np.float64]
    header: Header

    @property
    def duration_s(self) -> float:
        """End of the last frame: as mp4 says it where that can be, else one usual frame after the last began."""
        last_s, said_s = float(self.times_s[-1]), self.header.duration_s or 0.0 if self.header.demuxer == "mov" else 0.0
        return said_s if last_s < said_s < last_s + LONGEST_LAST_FRAME_S else last_s + typical_gap_s(self.times_s)


def frame_times(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> NDArray[np.float64]:
    """When each video frame is shown, in seconds from the first, ascending: read from packets, so exact for variable frame rates.

    Read-only; the same array is given again while the file does not change. Raises `Rejected` as `probe` does.
    """
    return timeline(path, limits).times_s


def timeline(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> Timeline:
    """Frame times with what a decoder needs beside them; remembered for the last few files."""
    return _timeline(*identity(path), limits)


def typical_gap_s(times_s: NDArray[np.float64]) -> float:
    """Seconds a frame usually stays: the median distance of frames, 1/25 for a single one."""
    return float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.04


@lru_cache(maxsize=4)
def _timeline(path: str, size: int, changed_ns: int, limits: Limits) -> Timeline:
    header = read_header(path, limits)
    if header.video_codec is None:
        raise Rejected("no_video", "the file has no video stream")
    shown = None if _packets_mislead(header) else _by_packets(path, header, limits)
    if shown is None:
        shown = _by_decoding(path, header, limits)
    if not shown:
        raise Rejected("no_video", "the video stream holds no frame")
    if len(shown) > limits.max_frames:
        raise Rejected("too_large", f"it has {len(shown)} frames, more than {limits.max_frames}")
    ticks = np.array(sorted(shown), dtype=np.int64)
    keys = np.array(sorted(tick for tick, is_key in shown.items() if is_key), dtype=np.int64)
    tick_s = header.time_base
    if (ticks[-1] - ticks[0]) * tick_s > limits.max_duration_s:
        raise Rejected("too_large", f"it lasts {float((ticks[-1] - ticks[0]) * tick_s):.0f} s, more than {limits.max_duration_s:g} s")
    times_s, key_times_s = (_seconds(values - ticks[0], tick_s) for values in (ticks, keys))
    return Timeline(times_s, float(int(ticks[0]) * tick_s), key_times_s, header)


def _packets_mislead(header: Header) -> bool:
    """Whether packets and shown frames may differ in number: hidden pictures, or fields stored apart."""
    return header.video_codec in INVISIBLE_PACKETS or header.interlaced and header.demuxer in ("mpegts", "mpeg")


def _by_packets(path: str, header: Header, limits: Limits) -> dict[int, bool] | None:
    """Time stamp -> is a key frame, of every packet that is shown (`D` marks those that an edit list discards).

    None when packets lack the time at which they are shown and it differs from the time at which they are decoded.
    """
    show = ["-select_streams", VIDEO, "-show_entries", "packet=pts,dts,flags", "-of", "csv=p=0"]
    arguments = ffprobe_arguments(path, header.demuxer, max_pixels=limits.max_pixels, show=show)
    limit_s = limits.probe_timeout_s + header.bytes / SLOWEST_READ_BYTES_PER_S
    finished = run("ffprobe", arguments, limit_s=limit_s, max_output_bytes=limits.max_frames * PACKET_LINE_BYTES)
    shown: dict[int, bool] = {}
    stamps, clock = array("q"), array("q")
    for line in finished.output.splitlines():
        pts, dts, flags, *_ = (*line.split(b","), b"", b"", b"")
        if not pts or b"D" in flags:
            continue
        if pts == b"N/A" and (header.reordered or dts == b"N/A"):
            return None
        stamps.append(int(dts if pts == b"N/A" else pts))
        shown[stamps[-1]] = b"K" in flags
        if dts != b"N/A":
            clock.append(int(dts))
    if not shown and finished.status != 0:
        raise explain(finished)
    _check_clock(clock, 0, header)
    _check_clock(stamps, MOST_REORDERED, header)
    _check_doubled(len(stamps), len(shown))
    return shown


def _by_decoding(path: str, header: Header, limits: Limits) -> dict[int, bool]:
    """As `_by_packets`, of the frames that a decoder gives."""
    media = source(path, header.demuxer, threads=1, max_pixels=limits.max_pixels, copyts=None)
    output = media[VIDEO].filter("showinfo", checksum=0).output("pipe:1", format="null", fps_mode="passthrough")
    reader = ShowinfoReader()
    limit_s = limits.decode_timeout_s(header.duration_s or limits.max_duration_s)
    with Process("ffmpeg", ffmpeg_arguments(output, log_level="info"), limit_s=limit_s, log_reader=reader) as process:
        status = process.finish()
        if not reader.ticks and status != 0:
            raise explain(process.finished(status))
    ticks = [tick for tick in reader.ticks if tick is not None]
    shown = {tick: is_key for tick, is_key in zip(reader.ticks, reader.keys, strict=True) if tick is not None}
    _check_clock(ticks, 0, header)
    _check_doubled(len(ticks), len(shown))
    return shown


def _check_clock(ticks: Sequence[int], reorder: int, header: Header) -> None:
    """Raises `Rejected("decode_error")` when time stamps begin again, as in joined recordings: frames of both have the same times then,
    and no reader can tell them apart. In a file whose clock goes on, each comes after at most `reorder` greater ones."""
    greatest: list[int] = []
    behind = 0
    for index, tick in enumerate(ticks):
        if len(greatest) <= reorder + GLITCH_FRAMES:
            heappush(greatest, tick)
            continue
        behind = behind + 1 if tick < greatest[0] else 0
        heappushpop(greatest, tick)
        if behind > GLITCH_FRAMES:
            after_s = float((max(ticks[: index - GLITCH_FRAMES]) - ticks[0]) * header.time_base)
            raise Rejected("decode_error", f"its clock restarts after {after_s:.1f} s; {ONE_CLOCK if header.demuxer == 'mpegts' else ANEW}")


def _check_doubled(frames: int, distinct: int) -> None:
    """Raises `Rejected("decode_error")` when many frames have the time of another, as where joined recordings were copied into one file."""
    if frames - distinct > DOUBLED_SHARE * max(frames, 100):
        raise Rejected("decode_error", f"{frames - distinct} of its {frames} frames have the time stamp of another; {ANEW}")


def _seconds(ticks: NDArray[np.int64], tick_s: Fraction) -> NDArray[np.float64]:
    seconds = ticks * float(tick_s.numerator) / float(tick_s.denominator)
    seconds.setflags(write=False)
    return seconds
