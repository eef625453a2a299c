"""The small model of the golden numbers: its sizes, and weights and inputs that are functions of their names (vexpress.md §14)."""

import zlib

import numpy as np
import torch
from torch import Tensor, nn

from training.model.config import AudioProjectionConfig, ModelConfig, UNetConfig
from training.model.vexpress import VExpress

SMALL = ModelConfig(
    unet=UNetConfig(channels=(32, 64, 64, 64)),
    guider_channels=(8, 16, 24, 40),
    audio_projection=AudioProjectionConfig(features=80, width=96, heads=6, head_width=16),
)


def golden_model(dtype: torch.dtype) -> VExpress:
    """With the weights of the rule; position tables stay what float32 made them."""
    model = VExpress(SMALL)
    for network in ("reference_net", "denoising_unet", "v_kps_guider", "audio_projection"):
        fill(model.get_submodule(network), network)
    return model.to(dtype)


def fill(network: nn.Module, name: str) -> None:
    """Give every entry of the state dict, but position tables, the weight of its name."""
    with torch.no_grad():
        for key, tensor in network.state_dict().items():
            if not key.endswith(".pe"):
                tensor.copy_(_weight(f"{name}.{key}", tuple(tensor.shape)))


def given(name: str, *shape: int) -> Tensor:
    """The float32 test input called `name`."""
    return torch.from_numpy(_normal(f"input.{name}", shape).astype(np.float32))


def _weight(name: str, shape: tuple[int, ...]) -> Tensor:
    values = _normal(name, shape)
    if name.endswith(".bias"):
        values = 0.05 * values
    elif len(shape) == 1:
        values = 1.0 + 0.1 * values
    else:
        values = values / np.sqrt(np.prod(shape[1:], dtype=np.float64))
    return torch.from_numpy(values.astype(np.float32))


def _normal(text: str, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(zlib.crc32(text.encode()))).standard_normal(shape)
