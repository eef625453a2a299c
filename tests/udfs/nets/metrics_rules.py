"""Weights and inputs of the golden numbers of networks and metrics, by rule (metrics.md, head; the rules of `golden_rules`, scaled)."""

import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from tests.udfs.nets.golden_rules import texture, weight

GAINS = {"netcnnlip.0.weight": 1 / 64, "netcnnaud.0.weight": 1 / 16}


def generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def metric_weight(key: str, shape: tuple[int, ...]) -> Tensor:
    """The entry `key`: running means around 0, kernels and matrices times the root of 2, SyncNet's first ones scaled to their inputs."""
    values = weight(f".{key}" if "." not in key else key, shape)
    if key.endswith(".running_mean"):
        return values - 1
    if len(shape) > 1:
        return (values.double() * math.sqrt(2) * GAINS.get(key, 1.0)).float()
    return values


def load_metric_weights(network: nn.Module) -> nn.Module:
    """Give every parameter and running statistic its value by rule; counters stay."""
    state = network.state_dict()
    network.load_state_dict({key: value if value.ndim == 0 else metric_weight(key, tuple(value.shape)) for key, value in state.items()})
    return network.eval()


def gliding_tones(samples: int, seed: int = 0) -> NDArray[np.int16]:
    """Five tones that glide and swell, and noise; 16 kHz mono."""
    random, t = generator(2000 + seed), np.arange(samples) / 16000.0
    sound = np.zeros(samples)
    for _ in range(5):
        first, last = random.uniform(120.0, 3200.0, 2)
        swell, phases = random.uniform(1.0, 6.0), random.uniform(0, 2 * np.pi, 2)
        envelope = 0.6 + 0.4 * np.sin(2 * np.pi * swell * t + phases[0])
        sound += envelope * np.sin(2 * np.pi * (first * t + 0.5 * (last - first) * t * t) + phases[1])
    return np.clip(np.rint(2500.0 * sound + 120.0 * random.standard_normal(samples)), -32768, 32767).astype(np.int16)


def features(rows: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    """(rows, width): correlated, not negative."""
    random = generator(3000 + seed)
    mix = random.standard_normal((width, width)) / np.sqrt(width)
    z = random.standard_normal((rows, width)) @ mix + 0.3 * random.standard_normal(width)
    return np.abs(0.4 * z + 0.35).astype(np.float32)


def face_boxes(frames: int, seed: int = 0) -> NDArray[np.float64]:
    """(frames, 4): a face that wanders, shakes and once jumps."""
    random, i = generator(4000 + seed), np.arange(frames)
    x, y = 150 + 2.0 * i + random.normal(0, 3, frames), 95 + 1.0 * i + random.normal(0, 3, frames)
    width, height = 88 + random.normal(0, 4, frames), 110 + random.normal(0, 4, frames)
    x[frames // 2] += 40
    return np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], 1)


def picture_pair(height: int, width: int, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A picture, and the one two frames later, noisy and a little brighter."""
    random, frames = generator(5000 + seed), texture(3, height, width, 7 + seed)
    other = frames[2].astype(np.float64) * 0.97 + 6 + random.normal(0, 4, frames[2].shape)
    return frames[0], np.clip(np.rint(other), 0, 255).astype(np.uint8)


def landmark_tracks(frames: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two tracks (frames, 68, 2) in px that differ by a shift and noise."""
    random = generator(6000 + seed)
    base = random.uniform(60, 200, (68, 2))
    one = base[None] + np.cumsum(random.normal(0, 0.8, (frames, 1, 2)), 0) + random.normal(0, 0.6, (frames, 68, 2))
    return one, one + np.array([2.5, -1.5]) + random.normal(0, 1.2, (frames, 68, 2))
