"""A generated video on its way into a file: frames stream to ffmpeg, none is kept."""

import tempfile
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.sound import whole_stream
from schemas import storage
from schemas.scratch import own, scratch_folder
from udfs.cut import AUDIO_BITRATE, ENCODER_THREADS, REPRODUCIBLE
from udfs.ffmpeg import Process, explain, ffmpeg_arguments
from udfs.header import read_header

CRF = 18
PRESET = "veryfast"
WAIT_S = 3600.0
"""Longest wait for the encoder in all; the time that frames take to be made is not counted."""


class VideoFile:
    """An mp4 (H.264, yuv420p, AAC, the header first) at `destination`, a path or an s3a:// address; the same frames give the same bytes.

    Use as a context manager. The file has its name only when the block has ended well and every frame was written. The sound of `audio` is cut, or
    filled with silence, to the length of the picture, which is `frames` at exactly `fps`. Raises `Rejected` when ffmpeg fails.
    """

    def __init__(self, destination: str, audio: str | Path, width: int, height: int, frames: int, fps: float) -> None:
        self._destination, self._shape, self._left = destination, (height, width, 3), frames
        self._folder = tempfile.TemporaryDirectory(prefix=own(), dir=scratch_folder())
        self._path = Path(self._folder.name, "video.mp4")
        self._process = Process("ffmpeg", ffmpeg_arguments(self._output(audio, frames, Fraction(fps).limit_denominator(1001))), limit_s=WAIT_S, fed=True)

    def _output(self, audio: str | Path, frames: int, fps: Fraction) -> Any:
        import ffmpeg

        height, width = self._shape[:2]
        raw = ffmpeg.input("pipe:0", format="rawvideo", pixel_format="rgb24", video_size=(width, height), framerate=f"{fps.numerator}/{fps.denominator}")
        picture = raw.filter("scale", out_color_matrix="bt601", out_range="tv").filter("format", "yuv420p")
        length = f"{float(frames / fps):.6f}"
        sound = whole_stream(audio, read_header(audio)).filter("apad").filter("atrim", end=length).filter("aformat", channel_layouts="mono|stereo")
        colours = {"colorspace": "smpte170m", "color_primaries": "smpte170m", "color_trc": "smpte170m", "color_range": "tv"}
        encoding = {"vcodec": "libx264", "preset": PRESET, "crf": CRF, "threads": ENCODER_THREADS, "acodec": "aac", "audio_bitrate": AUDIO_BITRATE}
        return ffmpeg.output(picture, sound, f"file:{self._path}", format="mp4", movflags="+faststart", **encoding, **colours, **REPRODUCIBLE)

    def write(self, frame: NDArray[np.uint8]) -> None:
        """One RGB frame (height, width, 3)."""
        if frame.shape != self._shape or self._left == 0:
            raise ValueError(f"a frame of {frame.shape} where {self._left} of {self._shape} are due")
        self._left -= 1
        if not self._process.feed(memoryview(np.ascontiguousarray(frame)).cast("B")):
            raise explain(self._process.finished(self._process.finish()))

    def __enter__(self) -> "VideoFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self._settle()
        finally:
            self._process.__exit__(kind, error, trace)
            self._folder.cleanup()

    def _settle(self) -> None:
        if self._left:
            raise ValueError(f"{self._left} frames are missing")
        status = self._process.finish()
        if status != 0:
            raise explain(self._process.finished(status))
        storage.put_file(self._path, self._destination)
