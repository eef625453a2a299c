import numpy as np
import pytest

from schemas.errors import MissingError
from udfs.footage import voice
from udfs.footage.encoder import SAMPLE_RATE


def test_speech_fills_the_time_and_is_loud():
    sound = voice.speech(2.5)
    assert len(sound) == 2.5 * SAMPLE_RATE
    assert np.abs(sound.astype(float)).mean() > 300


def test_an_empty_room_is_quiet():
    assert np.abs(voice.room_noise(1.0)).max() < 100


def test_the_mouth_is_open_while_it_is_loud():
    sound = np.concatenate([np.zeros(SAMPLE_RATE, np.int16), voice.tone(1.0)])
    opening = voice.loudness(sound, 50, 25.0)
    assert opening[:20].max() == 0 and opening[30:48].min() > 0.9


def test_a_missing_voice_is_one_sentence(monkeypatch):
    def no_flite(output):
        raise MissingError("no such filter: flite")

    monkeypatch.setattr(voice, "ffmpeg_bytes", no_flite)
    monkeypatch.setattr(voice.shutil, "which", lambda program: None)
    with pytest.raises(MissingError, match="install"):
        voice._spoken.__wrapped__("Hello.")
