"""Sound of a video as 16 kHz mono, aligned to the video's frames."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.codes import Rejected
from udfs.ffmpeg import Killed, Process, explain, ffmpeg_arguments, source
from udfs.header import Header, read_header
from udfs.limits import DEFAULT_LIMITS, Limits
from udfs.timeline import timeline

SAMPLE_RATE_HZ = 16_000

PREROLL_S = 3.0
"""Sound decoded before it is wanted: codecs need a few frames to settle after a seek, and some demuxers land late."""

QUICK_COUNTS = (1, 2, 6)
"""Numbers of channels whose mean is written out; that of others takes about twice as long."""


def audio_16k(path: str | Path, start_s: float = 0.0, end_s: float | None = None, *, limits: Limits = DEFAULT_LIMITS) -> NDArray[np.float32]:
    """Mono float32 in -1..1 at 16 kHz of [start_s, end_s); without `end_s`, up to the end of the video (of the sound where there is no video).

    Sample 0 is heard at the video's `start_s`; silence fills in where sound begins later, has gaps or ends earlier, so the length
    is always round((end_s - start_s) * 16000). Raises `Rejected`: `no_audio`, `decode_error` when the sound is unreadable, and as `probe`.
    """
    header = read_header(path, limits)
    if header.audio_codec is None:
        raise Rejected("no_audio", "the file has no sound")
    if header.video_codec is None:
        origin_s, whole_s = header.container_start_s, header.duration_s or 0.0
    else:
        line = timeline(path, limits)
        origin_s, whole_s = line.origin_s, line.duration_s
    length_s = (whole_s if end_s is None else end_s) - start_s
    if length_s > limits.max_duration_s:
        raise Rejected("too_large", f"{length_s:.0f} s of sound are more than {limits.max_duration_s:g} s")
    samples = np.zeros(max(0, round(length_s * SAMPLE_RATE_HZ)), np.float32)
    if samples.size == 0:
        return samples
    sound = aligned(audio_input(path, header, origin_s + start_s), origin_s + start_s, length_s)
    arguments = ffmpeg_arguments(mono_16k(sound).output("pipe:1", format="f32le"))
    try:
        _fill(samples, arguments, limits.decode_timeout_s(length_s))
    except Killed:
        samples[:] = 0
        _fill(samples, arguments, limits.decode_timeout_s(length_s))
    return samples


def audio_input(path: str | Path, header: Header, own_time_s: float) -> Any:
    """The first sound stream of an input that begins a little before the file's own time `own_time_s`; time stamps stay the file's own."""
    target_s = own_time_s - PREROLL_S
    seek = {"noaccurate_seek": None, "seek_timestamp": 1, "ss": f"{target_s:.6f}"} if target_s > header.container_start_s else {}
    return source(path, header.demuxer, threads=1, copyts=None, **seek)["a:0"]


def aligned(sound: Any, own_start_s: float, length_s: float) -> Any:
    """Cut `length_s` seconds from the file's own time `own_start_s` on; time stamps begin at 0, and silence fills gaps and a late start."""
    own = sound.filter("asetpts", f"PTS-({own_start_s:.9f})/TB").filter("atrim", start=0, end=f"{length_s:.6f}")
    return own.filter("aresample", **{"async": 1}, first_pts=0)


def mono_16k(sound: Any) -> Any:
    """A stream as float32 at 16 kHz, each sample the mean of its channels, however many there are at that moment and whatever they are called."""
    each = sound.filter("aresample", SAMPLE_RATE_HZ).filter("aformat", sample_fmts="flt")
    return each.filter("aeval", exprs=_mean(), channel_layout="mono").filter("aformat", sample_fmts="flt", channel_layouts="mono")


def _mean() -> str:
    """In ffmpeg's words. Its own down-mix weighs channels by what they are called, and lets their sum grow past 1."""
    mean = "st(0,0);st(1,0);while(lt(ld(1),nb_in_channels),st(0,ld(0)+val(ld(1)));st(1,ld(1)+1));ld(0)/nb_in_channels"
    for count in QUICK_COUNTS:
        mean = f"if(eq(nb_in_channels,{count}),({'+'.join(f'val({channel})' for channel in range(count))})/{count},{mean})"
    return mean


def _fill(samples: NDArray[np.float32], arguments: list[str], limit_s: float) -> None:
    with Process("ffmpeg", arguments, limit_s=limit_s) as process:
        count = process.read_into(memoryview(samples).cast("B"))
        if count == samples.nbytes:
            return
        status = process.finish()
        if count == 0 and status != 0:
            raise explain(process.finished(status))
