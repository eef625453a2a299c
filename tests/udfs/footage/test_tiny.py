from pathlib import Path

import numpy as np
import pytest

from udfs.footage import tiny_video
from udfs.media import frame_times, frames, probe


def pictures(path: Path) -> list[np.ndarray]:
    """All frames of a file, RGB."""
    times_s = frame_times(path)
    return [picture.astype(float) for index, picture in frames(path, times_s, 0.0, 1e6, range(len(times_s)))]


def test_a_tiny_video_is_what_was_asked_for(tmp_path):
    facts = probe(tiny_video(tmp_path / "a.mp4", seconds=1.2, size=(160, 120), fps=20))
    assert (facts.width, facts.height, facts.frames, facts.has_audio) == (160, 120, 24, True)
    assert facts.fps == pytest.approx(20)


def test_without_audio_there_is_no_audio_stream(tmp_path):
    assert not probe(tiny_video(tmp_path / "a.mp4", seconds=0.4, audio=None)).has_audio


def test_a_texture_moves_one_pixel_a_frame_to_the_right(tmp_path):
    path = tiny_video(tmp_path / "a.mp4", seconds=0.4, kind="texture", audio=None, video_options={"c:v": "libx264", "qp": 0, "threads": 1})
    first, second = pictures(path)[3:5]
    assert np.abs(first[:, :-1] - second[:, 1:]).mean() < 0.2 * np.abs(first - second).mean()


@pytest.mark.parametrize("shots", [1, 3])
def test_shots_are_divided_by_hard_cuts(tmp_path, shots):
    path = tiny_video(tmp_path / "a.mp4", seconds=1.2, shots=shots, audio=None)
    shown = pictures(path)
    changes = [np.abs(a - b).mean() for a, b in zip(shown, shown[1:])]
    assert sum(change > 20 for change in changes) == shots - 1


def test_an_unknown_kind_is_refused(tmp_path):
    with pytest.raises(ValueError, match="unknown kind"):
        tiny_video(tmp_path / "a.mp4", kind="clown")
    assert list(tmp_path.iterdir()) == []
