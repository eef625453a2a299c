"""Forms of a clip that `cut` can make: silent, a square, its sound alone."""

import pytest

from schemas.codes import Rejected
from tests.footage import moving_square
from udfs.cut import sound_only
from udfs.media import audio_16k, cut, probe


def test_a_square_without_sound_and_the_sound_alone(tmp_path):
    video = moving_square(tmp_path / "a.mp4", seconds=2, size="160x120", tone=True)
    cut(video, tmp_path / "square.mp4", 0.4, 1.4, crop=(20, 10, 100, 90), sound=False, side_px=64)
    square = probe(tmp_path / "square.mp4")
    assert (square.width, square.height, square.frames, square.has_audio) == (64, 64, 25, False)
    cut(video, tmp_path / "whole.mp4", 0.4, 1.4)
    sound_only(tmp_path / "whole.mp4", tmp_path / "whole.m4a")
    assert abs(audio_16k(tmp_path / "whole.m4a")).max() > 0.05 and audio_16k(tmp_path / "whole.m4a").size == pytest.approx(16000, abs=1100)
    with pytest.raises(Rejected, match="no sound"):
        sound_only(tmp_path / "square.mp4", tmp_path / "none.m4a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "square.mp4", "whole.m4a", "whole.mp4"]
