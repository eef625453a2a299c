"""DOVER's checkpoint, ready to judge views."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from udfs.checkpoint import network_from
from udfs.nets.dover.network import Dover, raw_scores
from udfs.nets.dover.views import normal_values, normalised
from udfs.nets.linear import packed
from udfs.nets.tiles import keep_freed_memory
from udfs.scorer import Device


class TorchJudge:
    """Runs the checkpoint at `path` on `device`, in the device's dtype."""

    def __init__(self, path: Path, device: Device) -> None:
        self._device = torch.device(device.torch_name)
        self._values = torch.from_numpy(normal_values()).to(self._device)
        self._network = packed(network_from(path, "dover", Dover).in_dtype(getattr(torch, device.dtype)).to(self._device))
        if device.kind == "cpu":
            torch.set_num_threads(device.threads)
            keep_freed_memory()

    def __call__(self, aesthetic: NDArray[np.uint8], technical: NDArray[np.uint8]) -> tuple[list[float], list[float]]:
        """(V, 32, 224, 224, 3) and (3 V, 32, 224, 224, 3) views of 8 bit -> raw aesthetic and technical scores of V clips."""
        return raw_scores(self._network, self._normalised(aesthetic), self._normalised(technical))

    def _normalised(self, views: NDArray[np.uint8]) -> torch.Tensor:
        """(N, 3, 32, 224, 224) on the device, which gets a quarter of the bytes and looks the values up: the same ones as on a CPU."""
        if self._device.type == "cpu":
            return torch.from_numpy(np.stack([normalised(view) for view in views]))
        return looked_up(self._values, torch.from_numpy(views).to(self._device))


def looked_up(values: torch.Tensor, views: torch.Tensor) -> torch.Tensor:
    """`values` (256, 3) of 8-bit views (N, T, H, W, 3) -> (N, 3, T, H, W)."""
    channels = [values[:, channel][view_channel.int()] for channel, view_channel in enumerate(views.unbind(-1))]
    return torch.stack(channels, dim=1)
