"""The features of speech: their number, what they do not depend on, and whose weights are taken."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2Model

from schemas.errors import MissingError, VerificationError
from udfs import speech_features
from udfs.scorer import Device
from udfs.speech_features import SpeechEncoder, rows_of


@pytest.fixture(scope="module")
def encoder() -> SpeechEncoder:
    return SpeechEncoder.load(Device(), smoke=True)


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * 16_000))).astype(np.float32)


@pytest.mark.parametrize(("seconds", "rows"), [(0.8, 39), (1, 49), (2.048, 102), (5, 249)])
def test_about_fifty_rows_a_second(encoder, seconds, rows):
    """vexpress.md §7.2."""
    features = encoder.encode(sound(seconds))
    assert features.shape == (rows, encoder.width) == (rows_of(round(seconds * 16_000)), 768)
    assert features.dtype == np.float32 and np.isfinite(features).all() and features.std() > 0.1


def test_ten_seconds_and_half_a_minute():
    assert [rows_of(16_000 * seconds) for seconds in (10, 31)] == [499, 1549]


def test_loudness_and_offset_do_not_matter(encoder):
    quiet = sound(1)
    np.testing.assert_allclose(encoder.encode(7 * quiet + 0.05), encoder.encode(quiet), atol=1e-3)


def test_very_short_sound_gives_one_row(encoder):
    assert encoder.encode(np.zeros(3, np.float32)).shape == (1, 768)


def test_random_weights_are_the_same_in_every_process(encoder):
    code = """
import numpy as np
from udfs.scorer import Device
from udfs.speech_features import SpeechEncoder
x = (0.1 * np.random.default_rng(0).standard_normal(16000)).astype(np.float32)
print(*SpeechEncoder.load(Device(), smoke=True).encode(x)[20, :4].tolist())
"""
    root = Path(speech_features.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert [float(word) for word in done.stdout.split()] == encoder.encode(sound(1))[20, :4].tolist()


def test_random_weights_are_named_so(encoder):
    assert encoder.fingerprint.startswith("random:") and encoder.fingerprint == speech_features.fingerprint(smoke=True)


def test_missing_weights_are_named_with_their_licence(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingError, match="wav2vec2-base-960h.*weights fetch.*Apache 2.0"):
        SpeechEncoder.load(Device())


@pytest.fixture
def published(tmp_path) -> tuple[Path, Wav2Vec2Model]:
    """A small network in the form in which the real one is published: old names, a prefix, and a head beside."""
    described = {"num_hidden_layers": 1, "intermediate_size": 32, "conv_dim": [16] * 7}
    network = Wav2Vec2Model(Wav2Vec2Config(**described)).eval()
    state = {f"wav2vec2.{key}": tensor for key, tensor in network.state_dict().items()}
    for new, old in (("parametrizations.weight.original0", "weight_g"), ("parametrizations.weight.original1", "weight_v")):
        state[f"wav2vec2.encoder.pos_conv_embed.conv.{old}"] = state.pop(f"wav2vec2.encoder.pos_conv_embed.conv.{new}")
    torch.save(state | {"lm_head.weight": torch.zeros(32, 768)}, tmp_path / "pytorch_model.bin")
    (tmp_path / "config.json").write_text(json.dumps(described | {"architectures": ["Wav2Vec2ForCTC"], "model_type": "wav2vec2"}))
    return tmp_path, network


def test_published_file_is_loaded_and_normalised_as_its_feature_extractor_does(published):
    folder, network = published
    heard = sound(1) + 0.2
    level = (heard - heard.mean()) / np.sqrt(heard.var() + 1e-7)
    with torch.no_grad():
        expected = network(torch.from_numpy(level)[None]).last_hidden_state[0].numpy()
    found = SpeechEncoder.load(Device(), path=folder)
    np.testing.assert_allclose(found.encode(heard), expected, atol=1e-5)
    assert found.fingerprint.startswith("wav2vec2-base-960h-v2-")


@pytest.mark.parametrize("damaged", ["{", "[1]", '{"conv_dim": "wide"}', '{"hidden_size": "768"}'])
def test_a_damaged_description_is_one_sentence(published, damaged: str):
    folder, _ = published
    (folder / "config.json").write_text(damaged)
    with pytest.raises(VerificationError, match="config.json does not describe a network") as refused:
        SpeechEncoder.load(Device(), path=folder)
    assert "\n" not in str(refused.value)


def test_other_file_is_refused_in_one_sentence(published):
    folder, _ = published
    state = torch.load(folder / "pytorch_model.bin", weights_only=True)
    del state["wav2vec2.encoder.layer_norm.weight"]
    torch.save(state | {"extra": torch.zeros(1)}, folder / "pytorch_model.bin")
    with pytest.raises(VerificationError, match="encoder.layer_norm.weight is missing; extra is unknown$"):
        SpeechEncoder.load(Device(), path=folder)
