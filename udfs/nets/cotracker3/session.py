"""CoTracker3's offline checkpoint, ready to follow points."""

from pathlib import Path

import torch

from udfs.checkpoint import network_from
from udfs.nets.cotracker3.network import CoTracker3
from udfs.nets.linear import packed, use_dtype
from udfs.nets.tiles import keep_freed_memory
from udfs.scorer import Device


def network_on(path: Path, device: Device) -> CoTracker3:
    """The checkpoint at `path` on `device`, in the device's dtype. Raises `VerificationError` when it is another one."""
    if device.kind == "cpu":
        torch.set_num_threads(device.threads)
        keep_freed_memory()
    network = network_from(path, "cotracker3_offline", CoTracker3)
    return packed(use_dtype(network, getattr(torch, device.dtype)).to(device.torch_name))
