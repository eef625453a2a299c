"""Writes made-up frames and sound as a video file."""

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import cv2
import ffmpeg
import numpy as np
from numpy.typing import NDArray

from schemas.errors import MissingError
from udfs.ffmpeg import ffmpeg_arguments, run, source

SAMPLE_RATE = 16_000
"""Sample rate of all made-up sound, in Hz."""

X264: Mapping[str, Any] = {"c:v": "libx264", "preset": "veryfast", "crf": 20, "pix_fmt": "yuv420p", "threads": 1}
_REPEATABLE = {"map_metadata": -1, "fflags": "+bitexact", "flags:v": "+bitexact", "flags:a": "+bitexact"}
_LIMIT_S = 120.0


def write_video(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    fps: float,
    sound: NDArray[np.int16] | None = None,
    video_options: Mapping[str, Any] = X264,
) -> Path:
    """Encode RGB `frames` of one even size and mono `sound` at 16 kHz; the same input gives the same bytes.

    The file has its name only once it is whole; its extension says the container. Raises `MissingError` when ffmpeg is not
    there or lacks an encoder.
    """
    half = path.with_name(f".half-{os.getpid()}-{path.name}")
    with tempfile.TemporaryDirectory() as scratch:
        size = _write_raw(Path(scratch, "frames.yuv"), frames)
        streams = [source(Path(scratch, "frames.yuv"), "rawvideo", pixel_format="yuv420p", video_size=size, framerate=fps)]
        options = dict(video_options) | _REPEATABLE
        if sound is not None:
            Path(scratch, "sound.s16").write_bytes(sound.astype("<i2").tobytes())
            streams.append(source(Path(scratch, "sound.s16"), "s16le", ar=SAMPLE_RATE, ac=1))
            options |= {"c:a": "libopus" if path.suffix == ".webm" else "aac", "b:a": "96k"}
        try:
            ffmpeg_bytes(ffmpeg.output(*streams, f"file:{half.absolute()}", **options))
            half.replace(path)
        finally:
            half.unlink(missing_ok=True)
    return path


def ffmpeg_bytes(output: Any) -> bytes:
    """What ffmpeg writes to its standard output. Raises `MissingError` when it cannot do what is asked."""
    done = run("ffmpeg", ffmpeg_arguments(output), limit_s=_LIMIT_S)
    if done.status != 0:
        raise MissingError(f"this ffmpeg cannot make the sample footage: {done.log[-1] if done.log else f'exit status {done.status}'}")
    return done.output


def _write_raw(path: Path, frames: Iterable[NDArray[np.uint8]]) -> tuple[int, int]:
    """Write the frames as planar YUV 4:2:0 and return their width and height."""
    size = (0, 0)
    with path.open("wb") as raw:
        for frame in frames:
            size = (frame.shape[1], frame.shape[0])
            raw.write(cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2YUV_I420).data)
    return size
