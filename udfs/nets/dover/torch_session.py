"""DOVER's checkpoint, ready to judge views."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from udfs.checkpoint import network_from
from udfs.nets.dover.network import Dover, raw_scores
from udfs.nets.tiles import keep_freed_memory
from udfs.scorer import Device


class TorchJudge:
    """Runs the checkpoint at `path` on `device`, in the device's dtype."""

    def __init__(self, path: Path, device: Device) -> None:
        self._device = torch.device(device.torch_name)
        self._network = network_from(path, "dover", Dover).in_dtype(getattr(torch, device.dtype)).to(self._device)
        if device.kind == "cpu":
            torch.set_num_threads(device.threads)
            keep_freed_memory()

    def __call__(self, aesthetic: NDArray[np.float32], technical: NDArray[np.float32]) -> tuple[list[float], list[float]]:
        """(V, 3, 32, 224, 224) and (3 V, 3, 32, 224, 224) normalised views -> raw aesthetic and technical scores of V clips."""
        return raw_scores(self._network, torch.from_numpy(aesthetic).to(self._device), torch.from_numpy(technical).to(self._device))
