"""SyncNet's checkpoint, ready to judge a clip."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from udfs.checkpoint import network_from
from udfs.nets.syncnet.agreement import FPS, Agreement, agreement, distance_table
from udfs.nets.syncnet.mfcc import SAMPLE_RATE_HZ, mfcc
from udfs.nets.syncnet.network import SyncNet, lip_embeddings, sound_embeddings
from udfs.nets.tiles import keep_freed_memory
from udfs.nets.true_float32 import true_float32
from udfs.scorer import Device

SAMPLES_PER_FRAME = SAMPLE_RATE_HZ // FPS
LEAST_FRAMES = 6
_WINDOWS_FEWER = 5
"""One window fewer than there could be, as upstream."""


def network_on(path: Path, device: Device) -> SyncNet:
    """The checkpoint at `path` on `device`, always float32. Raises `VerificationError` when it is another one."""
    if device.kind == "cpu":
        torch.set_num_threads(device.threads)
        keep_freed_memory()
    return network_from(path, "syncnet", SyncNet).to(device.torch_name)


def judge(network: SyncNet, crops: NDArray[np.uint8], sound: NDArray[np.int16]) -> Agreement | None:
    """Crops (T, 224, 224, 3), blue first, at 25 frames a second, and 16 kHz mono sound from the same moment on -> their agreement.

    What one has more than the other is left out. None when less than six frames (0.24 s) have both.
    """
    frames = min(len(crops), len(sound) // SAMPLES_PER_FRAME)
    if frames < LEAST_FRAMES:
        return None
    windows = frames - _WINDOWS_FEWER
    with true_float32():
        lips = lip_embeddings(network, crops[: frames - 1])
        heard = sound_embeddings(network, mfcc(sound), windows)
    return agreement(distance_table(lips, heard))


def sixteen_bit(sound: NDArray[np.float32]) -> NDArray[np.int16]:
    """Sound in -1..1 as 16-bit values, rounded, clipped."""
    return np.clip(np.rint(sound * 32768.0), -32768, 32767).astype(np.int16)
