"""Pictures that were made here as a video file: H.264 in which any few frames are decoded at little cost."""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from schemas.scratch import own, scratch_folder
from udfs.cut import ENCODER_THREADS, REPRODUCIBLE
from udfs.ffmpeg import Process, explain, ffmpeg_arguments
from udfs.scorer import RGB


@dataclass(frozen=True)
class Encoding:
    """`key_every` frames there is a key frame, and nothing refers across it; `crf` and `preset` as x264 takes them."""

    key_every: int = 12
    crf: int = 18
    preset: str = "veryfast"


def encoded(frames: Iterable[RGB], side_px: int, fps: float, encoding: Encoding = Encoding(), limit_s: float = 600.0) -> bytes:
    """Square RGB frames of `side_px` as an mp4: yuv420p (BT.601, TV range), constant `fps`, no sound, no B-frames.

    The same frames give the same bytes. `limit_s` bounds the time spent waiting for the encoder. Raises `Rejected`.
    """
    import ffmpeg

    pictures = ffmpeg.input("pipe:0", format="rawvideo", pixel_format="rgb24", video_size=(side_px, side_px), framerate=fps)
    shaped = pictures.filter("scale", out_color_matrix="bt601", out_range="tv").filter("format", "yuv420p")
    keys = {"g": encoding.key_every, "keyint_min": encoding.key_every, "sc_threshold": 0, "bf": 0}
    colours = {"colorspace": "smpte170m", "color_primaries": "smpte170m", "color_trc": "smpte170m", "color_range": "tv"}
    with tempfile.TemporaryDirectory(prefix=own("encode-"), dir=scratch_folder()) as folder:
        written = Path(folder, "pictures.mp4")
        options = {"vcodec": "libx264", "preset": encoding.preset, "crf": encoding.crf, "threads": ENCODER_THREADS} | keys | colours | REPRODUCIBLE
        output = shaped.output(f"file:{written}", format="mp4", movflags="+faststart", **options)
        with Process("ffmpeg", ffmpeg_arguments(output), limit_s=limit_s, fed=True) as process:
            for frame in frames:
                if not process.feed(memoryview(frame).cast("B")):
                    break
            status = process.finish()
            if status != 0 or not written.is_file():
                raise explain(process.finished(status))
        return written.read_bytes()
