"""What runs a network on a GPU keeps its convolutions from TF32, and leaves cuDNN on."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.backends import cudnn

from inference.metrics.networks import _run
from udfs.nets.cotracker3.network import CoTracker3
from udfs.nets.dover.network import raw_scores
from udfs.nets.syncnet import session
from udfs.nets.transnet import TransNet
from udfs.nets.true_float32 import true_float32
from udfs.scorer import Device


@pytest.fixture
def seen(monkeypatch):
    """(TF32 allowed, cuDNN on) at each time a network was run; TF32 is allowed outside, as by default."""
    monkeypatch.setattr(cudnn, "allow_tf32", True)
    return []


def noting(seen, answer):
    def run(*inputs, **options):
        seen.append((cudnn.allow_tf32, cudnn.enabled))
        return answer

    return run


def assert_true_float32(seen):
    assert seen and set(seen) == {(False, True)}
    assert cudnn.allow_tf32


def test_dover(seen):
    assert raw_scores(noting(seen, (torch.zeros(1), torch.zeros(3))), torch.zeros(1), torch.zeros(3)) == ([0.0], [0.0])
    assert_true_float32(seen)


def test_cotracker(seen):
    network = CoTracker3()
    network.fnet.unit_features = noting(seen, torch.zeros(1, 128, 24, 32))
    network.pyramid(torch.zeros(1, 3, 96, 128))
    assert_true_float32(seen)


def test_syncnet(seen, monkeypatch):
    monkeypatch.setattr(session, "lip_embeddings", noting(seen, np.zeros((2, 1024))))
    monkeypatch.setattr(session, "sound_embeddings", noting(seen, np.zeros((2, 1024))))
    monkeypatch.setattr(session, "agreement", lambda table: None)
    monkeypatch.setattr(session, "distance_table", lambda lips, heard: None)
    session.judge(SimpleNamespace(), np.zeros((7, 224, 224, 3), np.uint8), np.zeros(16000, np.int16))
    assert_true_float32(seen)


def test_transnet(seen, monkeypatch):
    monkeypatch.setattr(TransNet, "_forward", noting(seen, (torch.zeros(1, 2), torch.zeros(1, 2))))
    network = TransNet.__new__(TransNet)
    network._device = Device()
    network(np.zeros((1, 2, 27, 48, 3), np.uint8))
    assert_true_float32(seen)


def test_networks_of_metrics(seen):
    _run(noting(seen, torch.zeros(1)), Device(), np.zeros((1, 3), np.uint8))
    assert_true_float32(seen)


def test_what_else_was_set_stays(monkeypatch):
    for name in ("benchmark", "deterministic"):
        monkeypatch.setattr(cudnn, name, True)
    with true_float32():
        assert (cudnn.allow_tf32, cudnn.enabled, cudnn.benchmark, cudnn.deterministic) == (False, True, True, True)
