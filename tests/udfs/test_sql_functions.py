"""What a call from SQL hands to the scorers, and what it answers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from schemas.scores import STORED
from tests.udfs.nets.metrics_rules import load_metric_weights
from udfs import sql_functions, weights
from udfs.footage.tiny import tiny_video
from udfs.nets.syncnet.network import SyncNet
from udfs.scorer import GPU_CLIPS, Device


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """SyncNet with golden weights; no face detector but those of packages."""
    place = tmp_path_factory.mktemp("weights")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TALKVID_WEIGHTS", str(place / "installed"))
        patch.setattr(weights, "MANIFEST", tuple(replace(one, sha256=None) if one.name == "syncnet" else one for one in weights.MANIFEST))
        torch.save(load_metric_weights(SyncNet()).state_dict(), place / "some.model")
        weights.add(place / "some.model", "syncnet")
        sql_functions._loaded.cache_clear()
        yield place / "installed"
    sql_functions._loaded.cache_clear()


@pytest.fixture(scope="module")
def speaker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of one face, with sound."""
    return tiny_video(tmp_path_factory.mktemp("speaker") / "a face.mp4", seconds=3, audio="tone")


@pytest.mark.parametrize(("kind", "together"), [("cpu", 1), ("cuda", GPU_CLIPS)])
def test_a_gpu_is_given_several_clips_at_once(tmp_path, monkeypatch, kind, together):
    video = str(tiny_video(tmp_path / "a.mp4", seconds=1, audio=None))
    asked = []

    def score_clips(clips, scorers, clips_per_batch):
        asked.append((len(clips), clips_per_batch))
        return [(number, {"technical": {"sharpness": float(number)}}) for number in range(len(clips))]

    monkeypatch.setattr(sql_functions, "_loaded", lambda name, device: (SimpleNamespace(), "technical-v1", Device(kind)))
    monkeypatch.setattr(sql_functions, "score_clips", score_clips)
    rows = sql_functions.score_calls("technical", [("a", video, 0.0, 1.0), (None, video, 0.0, 1.0), ("b", video, 0.0, 1.0)])
    assert asked == [(2, together)]
    assert [(row["sharpness"], row["device"]) for row in rows] == [(0.0, kind), (None, None), (1.0, kind)]


TELLING = {"technical": "sharpness", "flow": "survival", "head": "avg_resolution", "sync": "confidence"}
"""By scorer a value that every clip of a face with sound has."""


@pytest.mark.parametrize("name", TELLING)
def test_a_call_answers_the_whole_struct_with_values(installed, speaker, name):
    row, nothing = sql_functions.score_calls(name, [("a", str(speaker), 0.0, 3.0), ("b", str(speaker) + ".gone", 0.0, 3.0)], "cpu")
    assert set(row) == {field.name for field in STORED[name]} | {"fingerprint", "device", "dtype"} == set(nothing)
    assert isinstance(row[TELLING[name]], float)
    assert row["fingerprint"].startswith(f"{name}-v") and row["device"] == "cpu"
    assert set(nothing.values()) == {None}


@pytest.mark.corpus
def test_sync_is_judged_by_the_faces_of_the_detector_that_head_takes(installed, corpus, shared_models, monkeypatch, tmp_path):
    for file in installed.glob("syncnet*"):
        (tmp_path / file.name).symlink_to(file)
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path))
    weights.add(shared_models / "scrfd_2.5g_kps.onnx")
    sql_functions._loaded.cache_clear()
    (row,) = sql_functions.score_calls("sync", [("a", str(corpus / "singles" / "speech_512p25_15s_l4.mp4"), 0.0, 3.0)], "cpu")
    sql_functions._loaded.cache_clear()
    assert isinstance(row["confidence"], float) and isinstance(row["offset_frames"], int)
