"""Sound in, tokens out."""

import subprocess

import numpy as np
import pytest
import torch

from inference.on_disk import OnDisk
from inference.sound import BESIDE_S, WHOLE_S, heard, tokens, whole_sound
from schemas.codes import Rejected
from training.audio_windows import frame_windows, stretched
from training.model.audio_projection import AudioProjection
from training.model.config import SMOKE
from udfs.speech_features import rows_of


class Counting:
    """An encoder whose rows say how loud the sound was, and which remembers how much it was given at once."""

    width = 4

    def __init__(self) -> None:
        self.given: list[int] = []

    def encode(self, sound: np.ndarray) -> np.ndarray:
        self.given.append(len(sound))
        rows = rows_of(len(sound))
        places = (np.arange(rows) + 0.5) / rows * len(sound)
        return sound[places.astype(int)][:, None].repeat(4, axis=1)


def test_the_whole_sound_is_there_to_the_sample(tmp_path, sound):
    assert len(whole_sound(sound)) == pytest.approx(2.3 * 16000, abs=2)
    compressed = tmp_path / "sound.mp3"
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(sound), str(compressed)], check=True)
    assert len(whole_sound(compressed)) / 16000 == pytest.approx(2.3, abs=0.06)


def test_sound_up_to_a_minute_is_heard_in_one_pass_and_longer_sound_in_passes_of_a_minute():
    encoder = Counting()
    short = np.linspace(0, 1, int(WHOLE_S * 16000), dtype=np.float32)
    assert len(heard(encoder, short).tensor) == rows_of(len(short)) and len(encoder.given) == 1
    for seconds in (WHOLE_S + 1, 185.0):
        encoder = Counting()
        long = np.linspace(0, 1, int(seconds * 16000), dtype=np.float32)
        rows = heard(encoder, long).tensor.numpy()
        assert max(encoder.given) <= WHOLE_S * 16000
        assert len(rows) == pytest.approx(rows_of(len(long)), abs=len(encoder.given) + 1)
        assert np.abs(rows[:, 0] - np.linspace(0, 1, len(rows))).max() < 0.06 / seconds * len(encoder.given) + 1e-3
    assert BESIDE_S * 2 < WHOLE_S


def test_every_frame_gets_the_tokens_of_what_is_heard_around_it():
    projection = AudioProjection(SMOKE.audio_projection, 32).eval()
    rows = OnDisk.holding(torch.randn(99, 768, generator=torch.Generator().manual_seed(0)))
    with torch.no_grad():
        for frames in (150, 3, 1, 500):
            expected = projection(frame_windows(stretched(rows.tensor, frames), range(frames)))[None]
            assert expected.shape == (1, frames, SMOKE.audio_projection.queries, 32)
            torch.testing.assert_close(tokens(projection, rows, frames).tensor, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("name", "code"), [("absent.wav", "vanished"), ("text.wav", "not_media"), ("silent.mp4", "no_audio")])
def test_what_has_no_sound_is_refused(tmp_path, name, code):
    from tests.footage import moving_square

    (tmp_path / "text.wav").write_text("no sound at all, only words")
    moving_square(tmp_path / "silent.mp4", seconds=1)
    with pytest.raises(Rejected) as caught:
        whole_sound(tmp_path / name)
    assert caught.value.code == code
