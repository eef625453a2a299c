"""New files made from others: clips cut to the frame, stills, and video joined with sound that was fetched apart from it."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas import unfinished
from schemas.codes import Rejected
from udfs.audio import aligned, audio_input
from udfs.decode import LOST_SHARE, TOLERANCE_S, Box, count_start, seek_options, select_expression, span, windows, within
from udfs.displayed import deinterlaced, effort, lead_frames, squared, toned
from udfs.ffmpeg import explain, ffmpeg_arguments, run, source
from udfs.header import VIDEO, read_header
from udfs.limits import DEFAULT_LIMITS, Limits
from udfs.timeline import Timeline, timeline

ENCODER_THREADS = 1
"""x264's result depends on their number, so it is fixed; clips are cut side by side instead."""

AUDIO_BITRATE = "128k"
JPEG_QUALITY = 3

MP4_SOUND = frozenset({"aac", "mp3", "opus", "ac3", "eac3", "alac", "flac"})
"""Sound that players find in an mp4; newer ffmpeg would put anything in."""

REPRODUCIBLE = {"map_metadata": -1, "map_chapters": -1, "fflags": "+bitexact", "flags:v": "+bitexact", "flags:a": "+bitexact"}
"""Output options that keep names, times and versions out of a file."""


@dataclass(frozen=True)
class CutResult:
    """What was written: video frames, seconds of video, bytes of the file."""

    frames: int
    duration_s: float
    bytes: int


def cut(
    source_path: str | Path,
    destination: str | Path,
    start_s: float,
    end_s: float,
    *,
    times: Sequence[float] | NDArray[np.float64] | None = None,
    fps: float | None = None,
    crop: Box | None = None,
    audio_source: str | Path | None = None,
    sound: bool = True,
    side_px: int | None = None,
    crf: int = 18,
    preset: str = "veryfast",
    limits: Limits = DEFAULT_LIMITS,
) -> CutResult:
    """Write exactly the frames with start_s <= t < end_s as H.264 (yuv420p) and AAC in an mp4 that starts fast.

    The first frame has time 0, the others keep their distances, or come at constant `fps` when that is given; sound starts and ends
    with the picture. The picture is as `udfs.displayed` makes it; `crop` is in its pixels and rounded inwards to even ones. `audio_source` is
    another file whose sound is taken, from its own start on; without `sound` there is none. `side_px` makes the picture a square of that side (even).
    The same call gives the same bytes. No unfinished file ever has the destination's name.
    Raises `Rejected` as `udfs.media.frames` does.
    """
    import ffmpeg

    line = timeline(source_path, limits)
    times_s = line.times_s if times is None else np.asarray(times)
    first, after = span(times_s, start_s, end_s)
    if first == after:
        raise Rejected("decode_error", f"no frame is shown between {start_s:.3f} s and {end_s:.3f} s")
    length_s = (float(times_s[after]) if after < len(times_s) else line.duration_s) - float(times_s[first])
    picture = _picture(source_path, line, times_s, first, after, fps, crop, limits)
    streams = [picture.filter("scale", side_px, side_px).filter("setsar", 1) if side_px else picture]
    streams += _sound(source_path, audio_source, line, float(times_s[first]), length_s, limits) if sound else []
    timing = {} if fps else _source_timing(line.header.time_base, float(times_s[after - 1] - times_s[first]), length_s)
    with _temporary(destination) as temporary:
        output = ffmpeg.output(
            *streams,
            f"file:{temporary}",
            format="mp4",
            vcodec="libx264",
            preset=preset,
            crf=crf,
            pix_fmt="yuv420p",
            threads=ENCODER_THREADS,
            acodec="aac",
            audio_bitrate=AUDIO_BITRATE,
            fps_mode="cfr" if fps else "passthrough",
            movflags="+faststart",
            **timing,
            **REPRODUCIBLE,
        )
        count_start()
        finished = run("ffmpeg", ffmpeg_arguments(output), limit_s=limits.decode_timeout_s(length_s * effort(line.header)))
        if finished.status != 0:
            raise explain(finished)
        written = timeline(temporary, limits)
        wanted = after - first if fps is None else round(length_s * fps)
        if len(written.times_s) > (wanted if fps is None else wanted + max(1.0, LOST_SHARE * wanted)):
            raise Rejected("decode_error", f"{len(written.times_s)} frames of the clip were decoded, and it has {wanted}")
        if len(written.times_s) < (1 - LOST_SHARE) * wanted:
            raise Rejected("decode_error", f"{wanted - len(written.times_s)} of {wanted} frames of the clip could not be decoded")
        return CutResult(len(written.times_s), written.duration_s, os.path.getsize(temporary))


def still(
    source_path: str | Path,
    time_s: float,
    destination: str | Path | None = None,
    *,
    width_px: int = 320,
    crop: Box | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> bytes:
    """The frame shown at `time_s` as a JPEG of that width, also written to `destination` unless that is None. Raises `Rejected` as `cut`."""
    line = timeline(source_path, limits)
    index = max(0, int(np.searchsorted(line.times_s, time_s + TOLERANCE_S)) - 1)
    media = _video_input(source_path, line, line.times_s, index, limits)
    chosen = squared(_chosen(media, line.times_s, [index], line.origin_s), line.header)
    if crop:
        chosen = _cropped(chosen, within(crop, line.header.width, line.header.height))
    shown = toned(chosen, line.header).filter("scale", width_px, -2, out_range="full").filter("format", "yuvj420p")
    output = shown.output("pipe:1", format="image2pipe", vcodec="mjpeg", vframes=1, **{"q:v": JPEG_QUALITY})
    count_start()
    finished = run("ffmpeg", ffmpeg_arguments(output), limit_s=limits.decode_timeout_s(0.0))
    if finished.status != 0 or not finished.output:
        raise explain(finished)
    if destination is not None:
        with _temporary(destination) as temporary:
            Path(temporary).write_bytes(finished.output)
    return finished.output


def join(video: str | Path, audio: str | Path, destination: str | Path, *, limits: Limits = DEFAULT_LIMITS) -> None:
    """Put the picture of one file and the sound of another into one mp4, both unchanged; sound that mp4 cannot hold becomes AAC.

    Atomic as `cut`. Raises `Rejected`: `no_video`, `no_audio`, and as `probe`.
    """
    import ffmpeg

    picture, sound = read_header(video, limits), read_header(audio, limits)
    if picture.video_codec is None:
        raise Rejected("no_video", "the file of the picture has no video stream")
    if sound.audio_codec is None:
        raise Rejected("no_audio", "the file of the sound has no sound")
    codec = "copy" if sound.audio_codec in MP4_SOUND else "aac"
    streams = source(video, picture.demuxer)[VIDEO], source(audio, sound.demuxer)["a:0"]
    with _temporary(destination) as temporary:
        output = ffmpeg.output(*streams, f"file:{temporary}", format="mp4", vcodec="copy", acodec=codec, movflags="+faststart", strict=-2, **REPRODUCIBLE)
        finished = run("ffmpeg", ffmpeg_arguments(output), limit_s=limits.decode_timeout_s(picture.duration_s or limits.max_duration_s))
        if finished.status != 0:
            raise explain(finished)


def sound_only(source_path: str | Path, destination: str | Path, *, limits: Limits = DEFAULT_LIMITS) -> None:
    """Write the sound of an mp4 that `cut` wrote, unchanged, as m4a. Atomic as `cut`. Raises `Rejected`: `no_audio`, and as `probe`."""
    header = read_header(source_path, limits)
    if header.audio_codec is None:
        raise Rejected("no_audio", "the file has no sound")
    with _temporary(destination) as temporary:
        output = source(source_path, header.demuxer)["a:0"].output(f"file:{temporary}", format="ipod", acodec="copy", **REPRODUCIBLE)
        finished = run("ffmpeg", ffmpeg_arguments(output), limit_s=limits.decode_timeout_s(header.duration_s or limits.max_duration_s))
        if finished.status != 0:
            raise explain(finished)


def _picture(
    path: str | Path, line: Timeline, times_s: NDArray[np.float64], first: int, after: int, fps: float | None, crop: Box | None, limits: Limits
) -> Any:
    """The clip's frames, cropped, with time stamps from 0."""
    width, height = line.header.width, line.header.height
    media = _video_input(path, line, times_s, first, limits)
    shown = squared(_chosen(media, times_s, range(first, after), line.origin_s), line.header)
    chosen = _cropped(shown, within(crop or (0, 0, width, height), width, height))
    first_tick = round((float(times_s[first]) + line.origin_s) / line.header.time_base)
    shifted = toned(chosen, line.header).filter("setpts", f"PTS-({first_tick})")
    return shifted.filter("fps", fps, start_time=0) if fps else shifted


def _source_timing(tick_s: Fraction, last_s: float, length_s: float) -> dict[str, Any]:
    """Output options that keep the source's time stamps to the tick, and the last frame, shown from `last_s` on, until `length_s`.

    Players skip a last frame without duration; the others last until the next, whatever is said here. An mp4 track ends with the packet
    that is decoded last, counted from when the first is decoded: where frames come at uneven distances, that has to be put off.
    """
    last = max(1, round((length_s - last_s) / tick_s))
    length = round(last_s / tick_s) + last
    is_end = "eq(NEXT_DTS,NOPTS)"
    dts = "max(DTS,PTS+STARTDTS)"
    duration = f"max({length}+STARTDTS-{dts},min({length}-PTS,{last}))"
    setts = f"setts=pts=PTS:dts=if({is_end},{dts},DTS):duration=if({is_end},{duration},{last})"
    return {
        "enc_time_base": f"{tick_s.numerator}/{tick_s.denominator}",
        "video_track_timescale": tick_s.denominator,
        "bsf:v": setts.replace(",", "\\,"),
    }


def _sound(path: str | Path, other: str | Path | None, line: Timeline, first_s: float, length_s: float, limits: Limits) -> list[Any]:
    """The clip's sound as a list of one stream, empty where there is none."""
    header = line.header if other is None else read_header(other, limits)
    if header.audio_codec is None:
        if other is not None:
            raise Rejected("no_audio", "the file of the sound has no sound")
        return []
    own_start_s = first_s + (line.origin_s if other is None else header.container_start_s)
    sound = aligned(audio_input(other or path, header, own_start_s), own_start_s, length_s)
    padded = sound.filter("apad").filter("atrim", end=f"{length_s:.6f}")
    return [padded.filter("aformat", channel_layouts="mono|stereo")]


def _video_input(path: str | Path, line: Timeline, times_s: NDArray[np.float64], first: int, limits: Limits) -> Any:
    """The file's frames from `first` or earlier on."""
    begin_s = float(times_s[max(0, first - lead_frames(line.header))])
    media = source(path, line.header.demuxer, threads=1, max_pixels=limits.max_pixels, **seek_options(line, begin_s))
    return deinterlaced(media[VIDEO], line.header)


def _chosen(media: Any, times_s: NDArray[np.float64], indices: Sequence[int], origin_s: float) -> Any:
    """The frames `indices` of `times_s`; one that is not later than the frame before it is left out, as everywhere."""
    spans_s = windows(times_s, indices, origin_s)
    later = "(isnan(prev_selected_t)+gt(t,prev_selected_t))"
    return media.filter("trim", end=f"{spans_s[-1][1]:.9f}").filter("select", f"{later}*({select_expression(spans_s)})")


def _cropped(video: Any, box: Box) -> Any:
    """Cropped to the box rounded inwards to even pixels. Raises `Rejected("decode_error")` when nothing is left."""
    left, top = (box[0] + 1) // 2 * 2, (box[1] + 1) // 2 * 2
    width, height = (box[2] - left) // 2 * 2, (box[3] - top) // 2 * 2
    if width < 2 or height < 2:
        raise Rejected("decode_error", f"the crop box {box} is smaller than two pixels")
    return video.filter("crop", width, height, left, top)


@contextlib.contextmanager
def _temporary(destination: str | Path) -> Iterator[str]:
    """A name beside `destination` whose file gets that name when the block ends well, and is gone when it does not."""
    final = os.path.abspath(destination)
    temporary = str(unfinished.beside(final))
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, final)
        _sync(os.path.dirname(final))
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def _sync(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
