"""Scorers by name, what they lack, and their fingerprints."""

import numpy as np
import pytest

from schemas.errors import MissingError, UsageError
from schemas.scores import STORED
from tests.udfs.faces.stand_in_pack import write_detector, write_pack
from udfs import registry, weights
from udfs.flow import FlowConfig
from udfs.head import HeadConfig
from udfs.registry import SCORERS, available_scorers, build, scorer_fingerprint
from udfs.scorer import Scorer


@pytest.fixture(autouse=True)
def own_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path / "weights"))


def fingerprint_of(name: str, **configs: object) -> str:
    return scorer_fingerprint(build([name], configs)[0])


def test_every_scorer_keeps_the_contract_and_has_its_struct():
    for scorer in (registry.made(name) for name in SCORERS):
        assert isinstance(scorer, Scorer) and scorer.name in STORED and scorer.needs <= {"audio_16k", "head"}


def test_scorers_without_downloads_are_always_available():
    names, skipped = available_scorers()
    assert {"technical", "flow", "head"} <= set(names) and not set(names) & set(skipped)


def test_scorer_named_without_its_weights_is_refused_before_it_starts():
    with pytest.raises(MissingError, match="scorer head.*weights fetch buffalo_l"):
        build(["head"], {"head": HeadConfig(backend="insightface:buffalo_l")})
    assert "head" in available_scorers({"head": HeadConfig(backend="insightface:buffalo_l")})[1]


def test_unknown_scorer_is_a_usage_error():
    with pytest.raises(UsageError, match="technical"):
        build(["beauty"])


def test_doubled_names_are_built_once():
    assert [scorer.name for scorer in build(["flow", "technical", "flow"])] == ["flow", "technical"]


def test_fingerprint_changes_with_parameters():
    assert fingerprint_of("flow") == fingerprint_of("flow", flow=FlowConfig())
    assert fingerprint_of("flow") != fingerprint_of("flow", flow=FlowConfig(gap_s=0.04))


def test_fingerprint_of_auto_is_that_of_the_back_end_it_becomes(tmp_path):
    embedded = fingerprint_of("head", head=HeadConfig(backend="centerface-dlib"))
    assert fingerprint_of("head") == embedded
    weights.add(write_detector(tmp_path / "det.onnx"), "custom-pack")
    assert fingerprint_of("head") != embedded
    assert fingerprint_of("head") == fingerprint_of("head", head=HeadConfig(backend="insightface:custom-pack"))


def test_fingerprint_changes_with_the_bytes_of_the_weights(tmp_path):
    weights.add(write_detector(tmp_path / "det.onnx"), "custom-pack")
    before = fingerprint_of("head")
    weights.add(write_pack(tmp_path / "pack", np.eye(3)), "custom-pack")
    assert fingerprint_of("head") != before


def test_scorer_without_the_head_it_needs_is_not_available(monkeypatch):
    there = weights.available
    monkeypatch.setattr(weights, "available", lambda name: name == "syncnet" or there(name))
    assert "sync" in available_scorers()[0]
    configs = {"head": HeadConfig(backend="insightface:buffalo_l")}
    names, skipped = available_scorers(configs)
    assert "sync" not in names and "weights fetch buffalo_l" in skipped["sync"]
    assert registry.lacking_weights("sync", configs) == ["buffalo_l"]
