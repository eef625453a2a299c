"""Frames out of a video: the wanted ones of a clip at full size, or all of a file at a small one."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.codes import Rejected
from udfs.displayed import deinterlaced, effort, lead_frames, toned
from udfs.ffmpeg import Killed, Process, explain, ffmpeg_arguments, source
from udfs.header import VIDEO
from udfs.limits import DEFAULT_LIMITS, Limits
from udfs.showinfo import ShowinfoReader
from udfs.timeline import Timeline, timeline, typical_gap_s

Box = tuple[int, int, int, int]
"""left, top, right, bottom in pixels of the displayed picture (upright, square pixels); right and bottom exclusive."""

TOLERANCE_S = 0.0005
"""Spans are stored in milliseconds, so a frame this much before a border counts as on it."""

LOST_SHARE = 0.05
"""Share of the wanted frames that damage may cost before the clip is rejected; one may always be lost, but not the only one."""

MAX_RUNS = 400
"""Most windows of time in one `select` expression; it must fit one argument of a process."""

SEEK_BACK_S = 1.5
SEEKING_UNINDEXED = frozenset({"mpegts", "mpeg", "ogg", "asf", "flv"})
"""Demuxers that may land after the key frame that was meant, and so are sent `SEEK_BACK_S` before it."""

CROP_MARGIN_PX = 8
"""Kept around a crop box until colours are converted, so that its edge pixels are those of the whole picture."""

CHANNELS = {"rgb24": 3, "bgr24": 3, "gray": 1}

_counting = threading.Lock()
_starts = 0


def decoder_starts() -> int:
    """How many times this process has started to decode video, since it began or `reset_decoder_starts`."""
    with _counting:
        return _starts


def reset_decoder_starts() -> None:
    """Count decoder starts from 0 again."""
    global _starts
    with _counting:
        _starts = 0


def count_start() -> None:
    """Count one more start of a video decoder."""
    global _starts
    with _counting:
        _starts += 1


def span(times_s: Sequence[float] | NDArray[np.float64], start_s: float, end_s: float) -> tuple[int, int]:
    """First frame of [start_s, end_s) and the one after its last, as indices into `times_s`."""
    first, after = np.searchsorted(times_s, [start_s - TOLERANCE_S, end_s - TOLERANCE_S])
    return int(first), int(after)


def frames(
    path: str | Path,
    times: Sequence[float] | NDArray[np.float64],
    start_s: float,
    end_s: float,
    wanted: Sequence[int],
    *,
    crop: Box | None = None,
    limits: Limits = DEFAULT_LIMITS,
    threads: int = 1,
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Stream (index, frame) of a clip's `wanted` frames, ascending, from one decoder start.

    `times` are the whole file's `frame_times`. Index 0 is the first frame with `start_s <= t < end_s` (half a millisecond of tolerance);
    a frame is RGB, uint8 (height, width, 3), upright, with square pixels, cut to `crop`. Frames are told apart by their time stamps, so one
    lost to damage shifts no other: it is left out. Raises `Rejected` at the end when more than `LOST_SHARE` allows are lost
    (`truncated` when they are the last ones, else `decode_error`), and `timeout`, `vanished`, `too_large` as `probe`.
    A decoder killed from outside is started once more, where it stopped.
    """
    first, after = span(times, start_s, end_s)
    left = sorted(set(wanted))
    if left and not 0 <= left[0] <= left[-1] < after - first:
        raise ValueError(f"frames {left[0]} to {left[-1]} are wanted of a clip of {after - first} frames")
    line = timeline(path, limits)
    asked, may_retry = len(left), True
    lost: list[int] = []
    while left:
        try:
            with _Selection(path, line, np.asarray(times), [first + index for index in left], crop, limits, threads) as selection:
                for index, frame in selection:
                    while left and left[0] < index - first:
                        lost.append(left.pop(0))
                    left.pop(0)
                    yield index - first, frame
                lost, left = lost + left, []
        except Killed:
            if not may_retry:
                raise
            may_retry = False
    if len(lost) > max(LOST_SHARE * asked, 1) or lost and len(lost) == asked:
        tail = lost == sorted(set(wanted))[-len(lost) :] and len(lost) < asked
        raise Rejected("truncated" if tail else "decode_error", f"{len(lost)} of {asked} wanted frames could not be decoded")


def small_frames(
    path: str | Path,
    width: int,
    height: int | None = None,
    *,
    pixel_format: str = "bgr24",
    limits: Limits = DEFAULT_LIMITS,
    threads: int = 1,
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Stream (time in s, frame) of the whole file, scaled down to `width` pixels; without `height` the aspect is kept, rounded to even.

    `pixel_format` is bgr24, rgb24 (height, width, 3) or gray (height, width). Raises `Rejected` as `frames` does.
    """
    line = timeline(path, limits)
    height = height or max(2, round(line.header.height * width / line.header.width / 2) * 2)
    done_s, may_retry, count = -1.0, True, 0
    while True:
        try:
            with _SmallFrames(path, line, (width, height), pixel_format, limits, threads) as stream:
                for time_s, frame in stream:
                    if time_s > done_s:
                        done_s = time_s
                        count += 1
                        yield time_s, frame
            break
        except Killed:
            if not may_retry:
                raise
            may_retry = False
    if count < (1 - LOST_SHARE) * len(line.times_s):
        raise Rejected("decode_error", f"{len(line.times_s) - count} of {len(line.times_s)} frames could not be decoded")


class _Decoder(ABC):
    """A started ffmpeg that gives raw frames of one size, each with the time stamp that its `showinfo` filter logs."""

    def __init__(self, path: str | Path, line: Timeline, input_options: dict[str, Any], size: tuple[int, int], pixel_format: str) -> None:
        self._path, self._line, self._input_options = path, line, input_options
        self._size, self._pixel_format = size, pixel_format
        self._shown = ShowinfoReader()

    @abstractmethod
    def _filters(self, video: Any) -> Any:
        """The stream with what comes before its frames get their colours and are logged."""

    def __enter__(self) -> "_Decoder":
        return self

    def __exit__(self, *error: Any) -> None:
        self._process.__exit__(*error)

    def _start(self, limits: Limits, threads: int, span_s: float) -> None:
        media = source(self._path, self._line.header.demuxer, threads=threads, max_pixels=limits.max_pixels, **self._input_options)
        header = self._line.header
        shown = toned(self._filters(media[VIDEO]), header).filter("format", self._pixel_format).filter("showinfo", checksum=0)
        output = shown.output("pipe:1", format="rawvideo", fps_mode="passthrough")
        count_start()
        arguments = ffmpeg_arguments(output, log_level="info")
        self._process = Process("ffmpeg", arguments, limit_s=limits.decode_timeout_s(span_s * effort(header)), log_reader=self._shown)

    def _each(self) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        channels = CHANNELS[self._pixel_format]
        shape = (self._size[1], self._size[0], channels)[: 3 if channels > 1 else 2]
        count = 0
        while True:
            frame = np.empty(shape, np.uint8)
            if self._process.read_into(memoryview(frame).cast("B")) < frame.nbytes:
                break
            tick = self._shown.ticks[count]
            count += 1
            if tick is not None:
                yield float(tick * self._shown.tick_s) - self._line.origin_s, frame
        status = self._process.finish()
        if count == 0 and (status != 0 or self._process.log):
            raise explain(self._process.finished(status))


class _SmallFrames(_Decoder):
    """All frames of a file, scaled down."""

    def __init__(self, path: str | Path, line: Timeline, size: tuple[int, int], pixel_format: str, limits: Limits, threads: int) -> None:
        super().__init__(path, line, {"copyts": None}, size, pixel_format)
        self._start(limits, threads, line.duration_s)

    def _filters(self, video: Any) -> Any:
        return video.filter("scale", *self._size, flags="area")

    def __iter__(self) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        return self._each()


class _Selection(_Decoder):
    """The frames with the given indices into `times_s`, at full size."""

    def __init__(
        self,
        path: str | Path,
        line: Timeline,
        times_s: NDArray[np.float64],
        indices: list[int],
        crop: Box | None,
        limits: Limits,
        threads: int,
    ) -> None:
        self._times_s, self._indices = times_s, indices
        self._windows = windows(times_s, indices, line.origin_s)
        width, height = line.header.width, line.header.height
        self._crop = within(crop, width, height) if crop else None
        self._rough = _with_margin(self._crop, width, height) if self._crop else (0, 0, width, height)
        size = (self._rough[2] - self._rough[0], self._rough[3] - self._rough[1])
        self._whole_size = (width, height)
        begin_s = float(times_s[max(0, indices[0] - lead_frames(line.header))])
        super().__init__(path, line, seek_options(line, begin_s), size, "rgb24")
        self._start(limits, threads, float(times_s[indices[-1]] - times_s[indices[0]]))

    def _filters(self, video: Any) -> Any:
        chosen = deinterlaced(video, self._line.header).filter("trim", end=f"{self._windows[-1][1]:.9f}").filter("select", select_expression(self._windows))
        if self._crop is None:
            return chosen.filter("scale", *self._whole_size)
        left, top = self._rough[:2]
        return chosen.filter("scale", *self._whole_size).filter("crop", *self._size, left, top, exact=1)

    def __iter__(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """(index into `times_s`, frame), ascending, each wanted one at most once; ends when the last has come."""
        left = list(reversed(self._indices))
        for time_s, frame in self._each():
            index = nearest(self._times_s, time_s)
            while left and left[-1] < index:
                left.pop()
            if left and left[-1] == index:
                left.pop()
                yield index, self._inside(frame)
            if not left:
                return

    def _inside(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self._crop is None:
            return frame
        left, top, right, bottom = self._crop
        x, y = self._rough[:2]
        return np.ascontiguousarray(frame[top - y : bottom - y, left - x : right - x])


def nearest(times_s: NDArray[np.float64], time_s: float) -> int:
    """Index of the time nearest to `time_s`."""
    after = int(np.searchsorted(times_s, time_s))
    if after == 0:
        return 0
    if after == len(times_s):
        return after - 1
    return after if times_s[after] - time_s < time_s - times_s[after - 1] else after - 1


def windows(times_s: NDArray[np.float64], indices: Sequence[int], origin_s: float) -> list[tuple[float, float]]:
    """Windows of the file's own time that hold the frames `indices` of `times_s` and, with at most `MAX_RUNS` of them, no other frame."""
    gap_s = typical_gap_s(times_s)
    borders = np.concatenate(([times_s[0] - gap_s / 2], (times_s[1:] + times_s[:-1]) / 2, [times_s[-1] + gap_s / 2])) + origin_s
    ordered = np.asarray(indices)
    breaks = np.flatnonzero(np.diff(ordered) > 1)
    if len(breaks) >= MAX_RUNS:
        widths = np.diff(times_s[ordered])[breaks]
        breaks = np.sort(breaks[np.argsort(-widths, kind="stable")[: MAX_RUNS - 1]])
    starts = ordered[np.concatenate(([0], breaks + 1))]
    ends = ordered[np.concatenate((breaks, [len(ordered) - 1]))]
    return [(float(borders[start]), float(borders[end + 1])) for start, end in zip(starts, ends, strict=True)]


def select_expression(spans_s: Sequence[tuple[float, float]]) -> str:
    """An ffmpeg expression that is true inside the given windows: a search tree, since ffmpeg evaluates it for every frame."""
    if len(spans_s) == 1:
        start_s, end_s = spans_s[0]
        return f"gte(t,{start_s:.9f})*lt(t,{end_s:.9f})"
    middle = len(spans_s) // 2
    return f"if(lt(t,{spans_s[middle][0]:.9f}),{select_expression(spans_s[:middle])},{select_expression(spans_s[middle:])})"


def seek_options(line: Timeline, time_s: float) -> dict[str, Any]:
    """Input options that start decoding at the last key frame up to `time_s`, or somewhat before; none where that is the beginning.

    Time stamps stay the file's own (`-copyts`), whether or not there is a seek.
    """
    key = int(np.searchsorted(line.key_times_s, time_s + TOLERANCE_S)) - 1
    if key < 1:
        return {"copyts": None}
    target_s = time_s
    if line.header.demuxer in SEEKING_UNINDEXED:
        target_s = float(line.key_times_s[key]) - SEEK_BACK_S
        if target_s <= 0:
            return {"copyts": None}
    return {"copyts": None, "noaccurate_seek": None, "seek_timestamp": 1, "ss": f"{target_s + line.origin_s:.6f}"}


def within(crop: Box, width: int, height: int) -> Box:
    """The part of a crop box that lies in the picture. Raises `Rejected("decode_error")` when there is none."""
    left, top, right, bottom = max(0, crop[0]), max(0, crop[1]), min(width, crop[2]), min(height, crop[3])
    if left >= right or top >= bottom:
        raise Rejected("decode_error", f"the crop box {tuple(crop)} lies outside the picture of {width}x{height} pixels")
    return left, top, right, bottom


def _with_margin(box: Box, width: int, height: int) -> Box:
    left, top = max(0, box[0] - CROP_MARGIN_PX) // 2 * 2, max(0, box[1] - CROP_MARGIN_PX) // 2 * 2
    return left, top, min(width, (box[2] + CROP_MARGIN_PX + 1) // 2 * 2), min(height, (box[3] + CROP_MARGIN_PX + 1) // 2 * 2)
