"""Frames and sound on their way into a file."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from inference.video_file import VideoFile
from schemas.codes import Rejected
from udfs import media

FPS = 25.0


def burst(path: Path, at_s: float, seconds: float) -> Path:
    """Silence with a loud tenth of a second at `at_s`."""
    tone = f"aevalsrc='if(between(t,{at_s},{at_s + 0.1}),0.8*sin(2*PI*800*t),0)':s=44100:d={seconds}"
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", tone, str(path)], check=True)
    return path


def frame(index: int) -> np.ndarray:
    """Red on the left, green on the right, blue at the bottom, brighter with time."""
    picture = np.zeros((64, 128, 3), np.uint8)
    picture[:, :64, 0] = picture[:, 64:, 1] = 100 + index
    picture[32:, :, 2] = 200
    return picture


def write(path: Path, sound: Path, frames: int) -> None:
    with VideoFile(str(path), sound, 128, 64, frames, FPS) as file:
        for index in range(frames):
            file.write(frame(index))


@pytest.mark.parametrize("extension", ["wav", "mp3", "m4a"])
def test_pictures_stand_upright_in_their_colours_and_sound_is_heard_when_it_is_made(tmp_path, extension):
    write(tmp_path / "out.mp4", burst(tmp_path / f"burst.{extension}", 1.0, 2.0), 50)
    times = media.frame_times(tmp_path / "out.mp4")
    np.testing.assert_allclose(np.diff(times), 0.04, atol=1e-6)
    shown = dict(media.frames(tmp_path / "out.mp4", times, 0, 10, [0, 49]))
    for index, picture in shown.items():
        for (y, x), wanted in (((10, 20), (100 + index, 0, 0)), ((10, 100), (0, 100 + index, 0)), ((50, 20), (100 + index, 0, 200))):
            assert np.abs(picture[y, x].astype(int) - wanted).max() < 12
    loud = np.flatnonzero(np.abs(media.audio_16k(tmp_path / "out.mp4")) > 0.2) / 16000
    assert loud[0] == pytest.approx(1.0, abs=0.03) and loud[-1] == pytest.approx(1.1, abs=0.03)


def test_sound_is_cut_or_filled_up_to_the_picture(tmp_path):
    for frames in (20, 75):
        write(tmp_path / "out.mp4", burst(tmp_path / "burst.wav", 0.1, 2.0), frames)
        assert len(media.audio_16k(tmp_path / "out.mp4")) / 16000 == pytest.approx(frames / FPS, abs=0.001)


def test_a_block_that_ends_in_an_error_or_too_early_leaves_no_file(tmp_path):
    sound = burst(tmp_path / "burst.wav", 0.1, 0.5)
    with pytest.raises(RuntimeError, match="broken"), VideoFile(str(tmp_path / "out.mp4"), sound, 128, 64, 10, FPS) as file:
        file.write(frame(0))
        raise RuntimeError("broken")
    with pytest.raises(ValueError, match="9 frames are missing"), VideoFile(str(tmp_path / "out.mp4"), sound, 128, 64, 10, FPS) as file:
        file.write(frame(0))
    assert [path.name for path in tmp_path.iterdir()] == ["burst.wav"]


def test_an_encoder_that_fails_is_a_rejection(tmp_path):
    torn = burst(tmp_path / "torn.wav", 0.1, 0.5)
    with pytest.raises(Rejected), VideoFile(str(tmp_path / "out.mp4"), torn, 128, 64, 3000, FPS) as file:
        file._process.kill()
        for index in range(3000):
            file.write(frame(index % 100))
    assert not (tmp_path / "out.mp4").exists()
