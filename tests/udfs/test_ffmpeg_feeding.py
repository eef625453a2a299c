"""What ffmpeg is fed through its standard input."""

import ffmpeg
import numpy as np

from udfs.ffmpeg import Process, ffmpeg_arguments
from udfs.media import probe


def encoder(path, **options) -> list[str]:
    raw = ffmpeg.input("pipe:0", format="rawvideo", pixel_format="rgb24", video_size=(64, 64), framerate=25, **options)
    return ffmpeg_arguments(raw.output(f"file:{path}", vcodec="libx264", pix_fmt="yuv420p"))


def test_every_byte_arrives(tmp_path):
    path = tmp_path / "fed.mp4"
    frame = memoryview(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).cast("B")
    with Process("ffmpeg", encoder(path), limit_s=60, fed=True) as process:
        assert all(process.feed(frame) for _ in range(150))
        assert process.finish() == 0
    assert probe(path).frames == 150


def test_a_process_that_takes_no_more_says_so_instead_of_hanging(tmp_path):
    with Process("ffmpeg", encoder(tmp_path / "no" / "such" / "folder.mp4"), limit_s=60, fed=True) as process:
        taken = [process.feed(memoryview(bytes(64 * 64 * 3))) for _ in range(2000)]
        assert not all(taken)
        assert process.finish() != 0
        assert any("No such file" in line for line in process.log)
