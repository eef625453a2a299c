"""Which networks make a video, and what their fingerprint says."""

from pathlib import Path

import pytest
import torch

from inference.networks import Checkpoint, Networks
from jobs.cli import run_verb
from jobs.generate import JOB
from schemas.errors import MissingError
from training.model.official import FILES
from udfs.scorer import Device


def released(folder: Path) -> Path:
    """The names of the released layout; contents are not looked at here."""
    for name in FILES:
        (folder / "v-express").mkdir(parents=True, exist_ok=True)
        (folder / "v-express" / f"{name}.bin").write_bytes(name.encode())
    for name in ("sd-vae-ft-mse", "wav2vec2-base-960h"):
        (folder / name).mkdir()
        (folder / name / "model.safetensors").write_bytes(name.encode())
    return folder


def test_a_smoke_model_says_that_its_weights_are_random(checkpoint):
    found = Checkpoint.at(checkpoint)
    assert found.fingerprint().startswith("random:generate-v") and found.side_px == 128


def test_frozen_networks_beside_a_released_model_are_taken_and_count(tmp_path):
    folder = released(tmp_path / "model_ckpts")
    found = Checkpoint.at(folder)
    first = found.fingerprint()
    assert found.side_px == 512 and not first.startswith("random:")
    assert found.beside("sd-vae-ft-mse") == folder / "sd-vae-ft-mse"
    (folder / "sd-vae-ft-mse" / "model.safetensors").write_bytes(b"another")
    assert found.fingerprint() != first


def test_a_network_leaves_the_device_also_when_its_work_fails(checkpoint, monkeypatch):
    networks = Networks(Checkpoint.at(checkpoint), [Device("cpu")], "fp32", sparing=True)
    networks.devices = [torch.device("cpu:0")]
    moves, network = [], networks.model.reference_net
    monkeypatch.setattr(network, "to", lambda device: moves.append(str(device)))
    with pytest.raises(ArithmeticError), networks.at_work(network):
        assert moves == ["cpu:0"]
        raise ArithmeticError
    assert moves == ["cpu:0", "cpu"]


def test_a_frozen_network_that_is_nowhere_is_told_before_anything_is_loaded(tmp_path, monkeypatch, capsys):
    folder = released(tmp_path / "model_ckpts")
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path / "no weights"))
    for name in ("wav2vec2-base-960h", "sd-vae-ft-mse"):
        (folder / name / "model.safetensors").unlink()
        with pytest.raises(MissingError, match=f"the weights {name} .* are missing: `talkvid weights fetch {name}`"):
            Checkpoint.at(folder).fingerprint()
        words = ["--reference_image_path=a", "--audio_path=b", "--output_path=c.mp4", f"--checkpoint_path={folder}", "--device=cpu"]
        assert run_verb(JOB, words) == 3
        said = capsys.readouterr().err
        assert said.startswith(f"talkvid generate: the weights {name} (") and said.count("\n") == 1
        (folder / name).rmdir()
