"""Frozen networks that a training lacks are told before it starts."""

import pytest

from jobs.training_needs import check_output, lacking, lacking_vae
from schemas.errors import MissingError, UsageError
from schemas.lake import Lake
from tests.small_samples import sample
from training.stages import Settings, read
from udfs import weights


@pytest.fixture
def lake(tmp_path) -> Lake:
    lake = Lake.at(str(tmp_path / "lake"))
    lake.ledger.create()
    return lake


@pytest.fixture(autouse=True)
def nothing_there(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path / "none"))


def real() -> Settings:
    return read(3, None, {"start": "random"})


def test_without_the_vae_only_samples_with_latents_of_a_real_one_can_be_trained_on(lake, monkeypatch):
    lake.ledger.append("samples", [sample("a", 20), sample("b", 20, latents_fingerprint="random:sd-vae")])
    sentence = lacking(lake, real(), footage=False)
    assert sentence.startswith("the weights sd-vae-ft-mse (") and "talkvid weights fetch sd-vae-ft-mse" in sentence and "--cache-latents" in sentence
    assert "\n" not in sentence
    before = lake.place.version("samples")
    lake.ledger.append("samples", [sample("c", 20, latents_fingerprint="sd-vae-ft-mse-12")])
    assert lacking(lake, real(), footage=False) is None
    assert lacking(lake, real(), footage=False, version=before) == sentence
    assert (lacking_vae(real(), None), lacking_vae(real(), "random:sd-vae"), lacking_vae(real(), "sd-vae-ft-mse-12")) == (sentence, sentence, None)
    monkeypatch.setattr(weights, "available", lambda name: True)
    assert lacking(lake, real(), footage=False, version=before) is None and lacking_vae(real(), None) is None


def test_footage_also_takes_what_hears(lake):
    assert lacking(lake, real(), footage=True).startswith("the weights wav2vec2-base-960h (")


def test_a_smoke_model_needs_nothing(lake):
    assert lacking(lake, read(3, None, smoke=True), footage=True) is None


def test_an_optimiser_that_is_not_installed_is_told(lake, monkeypatch):
    monkeypatch.setattr("jobs.training_needs.find_spec", lambda name: None)
    settings = read(3, None, {"start": "random", "optimizer": "adamw8bit"}, smoke=True)
    assert lacking(lake, settings, footage=False) == "optimizer=adamw8bit: bitsandbytes is not installed; take optimizer=adamw"


def test_an_output_that_cannot_be_is_a_wrong_call_and_one_without_the_right_a_lack(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=f"{tmp_path}/file/x cannot be written, because of {tmp_path}/file: Not a directory"):
        check_output(str(tmp_path / "file" / "x"))
    monkeypatch.setattr("os.access", lambda *words: False)
    with pytest.raises(MissingError, match=f"because of {tmp_path}: Permission denied"):
        check_output(str(tmp_path / "x"))
