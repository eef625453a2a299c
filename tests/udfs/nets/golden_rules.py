"""Weights and inputs of the golden numbers, by rule, so that they need no storage (dover.md §6, cotracker3.md §12)."""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

GOLDENS = Path(__file__).with_name("goldens")
GAINS = {"fc_last": 0.25, "flow_head": 0.20, "vis_conf_head": 0.40}


@dataclass(frozen=True)
class Golden:
    """Numbers of the original network: `arrays` by name, `facts` about inputs and tolerances."""

    arrays: dict[str, NDArray]
    facts: dict[str, Any]

    @classmethod
    def of(cls, network: str, folder: Path = GOLDENS) -> "Golden":
        """The numbers of `network`: `dover` or `cotracker3`."""
        with np.load(folder / f"{network}_golden.npz") as stored:
            arrays = {name: stored[name] for name in stored.files}
        return cls(arrays, json.loads((folder / f"{network}_golden.json").read_text()))


@dataclass(frozen=True)
class Deviation:
    """How far a number may be, and is, from its golden value."""

    name: str
    found: float
    allowed: float

    @property
    def within(self) -> bool:
        return bool(self.found <= self.allowed)


def load_golden_weights(network: nn.Module) -> nn.Module:
    """Give every parameter its value by rule; buffers stay as constructed."""
    state = network.state_dict()
    parameters = dict(network.named_parameters())
    network.load_state_dict({key: weight(key, tuple(value.shape)) if key in parameters else value for key, value in state.items()})
    return network.eval()


def weight(key: str, shape: tuple[int, ...]) -> Tensor:
    """The parameter `key`: standard normals seeded by its name, scaled by its kind."""
    parent, last = key.split(".")[-2:]
    z = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode()))).standard_normal(shape)
    if last.endswith("position_bias_table"):
        values = 0.2 * z
    elif last == "virual_tracks":
        values = z
    elif last == "gamma":
        values = 0.3 + 0.06 * z
    elif key.endswith("flow_head.bias"):
        values = np.array([-0.11, 0.53])
    elif key.endswith("vis_conf_head.bias"):
        values = np.array([-1.97, -0.55])
    elif last == "bias":
        values = 0.05 * z
    elif len(shape) == 1:
        values = 1 + 0.1 * z
    else:
        gain = {"corr_mlp.fc1": 4.0, "corr_mlp.fc2": 2.0}.get(key[:12]) or GAINS.get(parent, 1.0)
        values = gain * z / np.sqrt(np.prod(shape[1:], dtype=np.float64))
    return torch.from_numpy(values.astype(np.float32))


def texture(frames: int, height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """(T, H, W, 3): twelve plane waves that travel."""
    generator = np.random.Generator(np.random.PCG64(1000 + seed))
    t, y, x = np.meshgrid(np.arange(frames), np.arange(height), np.arange(width), indexing="ij")
    picture = np.zeros((frames, height, width, 3))
    for wave in range(12):
        angle = generator.uniform(0, 2 * np.pi)
        vx, vy = generator.uniform(-1.5, 1.5, 2)
        phase = generator.uniform(0, 2 * np.pi, 3)
        along = (np.cos(angle) * (x - vx * t) + np.sin(angle) * (y - vy * t)) * (2 * np.pi / (6.0 * 1.45**wave))
        picture += (10.0 + 1.5 * wave) * np.sin(along[..., None] + phase)
    return np.clip(np.rint(127.5 + picture), 0, 255).astype(np.uint8)


def picked(values: NDArray, count: int) -> NDArray:
    """`count` evenly spread values of an array, row-major."""
    flat = values.reshape(-1)
    return flat[np.arange(count, dtype=np.int64) * flat.size // count]


def apart(found: Any, expected: NDArray) -> float:
    """Largest absolute difference."""
    found = np.asarray(found, dtype=np.float64)
    assert found.shape == expected.shape, (found.shape, expected.shape)
    return float(np.abs(found - expected).max())


def write_golden_checkpoint(network: nn.Module, file: Path) -> Path:
    """A checkpoint in the official layout, with weights by rule."""
    torch.save(load_golden_weights(network).state_dict(), file)
    return file
