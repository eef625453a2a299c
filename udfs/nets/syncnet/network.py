"""SyncNet's two towers, which never mix (metrics.md §1.1; Chung and Zisserman 2016)."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from udfs.nets.syncnet.mfcc import windows_of

WINDOW_FRAMES = 5
EMBEDDING = 1024
WINDOWS_AT_ONCE = 8
"""Video windows of one pass: the widest layer then takes 36 MB."""


class SyncNet(nn.Module):
    """Both towers, for inference. Its state dict has the keys of the official `syncnet_v2.model`, and BatchNorm's unused counters."""

    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_layer2d(1, 64, 3, 1),
            nn.MaxPool2d(1, 1),
            *_layer2d(64, 192, 3, 1),
            nn.MaxPool2d(3, (1, 2)),
            *_layer2d(192, 384, 3, 1),
            *_layer2d(384, 256, 3, 1),
            *_layer2d(256, 256, 3, 1),
            nn.MaxPool2d(3, 2),
            *_layer2d(256, 512, (5, 4), 0),
        )
        self.netfcaud = _head()
        self.netfclip = _head()
        self.netcnnlip = nn.Sequential(
            *_layer3d(3, 96, (5, 7, 7), stride=2, pad=0),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_layer3d(96, 256, (1, 5, 5), stride=2, pad=1),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *_layer3d(256, 256, (1, 3, 3), stride=1, pad=1),
            *_layer3d(256, 256, (1, 3, 3), stride=1, pad=1),
            *_layer3d(256, 256, (1, 3, 3), stride=1, pad=1),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_layer3d(256, 512, (1, 6, 6), stride=1, pad=0),
        )

    def lips(self, frames: Tensor) -> Tensor:
        """(3, T, 224, 224) float32 frames, blue first, 0..255 -> (T - 4, 1024), one embedding for each five frames; not normalised."""
        return self.netfclip(self.netcnnlip(frames[None])[0, :, :, 0, 0].T)

    def sound(self, windows: Tensor) -> Tensor:
        """(N, 1, 13, 20) windows of cepstra -> (N, 1024); not normalised."""
        return self.netfcaud(self.netcnnaud(windows).flatten(1))


@torch.inference_mode()
def lip_embeddings(network: SyncNet, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(T, 224, 224, 3) crops, blue first, at 25 frames a second -> (T - 4, 1024). Bounded memory; T is at least 5."""
    device = next(network.parameters()).device
    found = [network.lips(torch.from_numpy(part).to(device).permute(3, 0, 1, 2).float()).cpu() for part in _overlapping(frames)]
    return torch.cat(found).numpy()


@torch.inference_mode()
def sound_embeddings(network: SyncNet, cepstra: NDArray[np.float64], windows: int) -> NDArray[np.float32]:
    """(rows, 13) cepstra -> (windows, 1024): window i begins with row 4 i, where frame i does."""
    device = next(network.parameters()).device
    parts = torch.from_numpy(windows_of(cepstra, windows)).split(8 * WINDOWS_AT_ONCE)
    return torch.cat([network.sound(part.to(device)).cpu() for part in parts]).numpy()


def _overlapping(frames: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    for first in range(0, len(frames) - WINDOW_FRAMES + 1, WINDOWS_AT_ONCE):
        yield np.ascontiguousarray(frames[first : first + WINDOWS_AT_ONCE + WINDOW_FRAMES - 1])


def _layer2d(inputs: int, outputs: int, kernel: int | tuple[int, int], pad: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, kernel, padding=pad), nn.BatchNorm2d(outputs), nn.ReLU()


def _layer3d(inputs: int, outputs: int, kernel: tuple[int, int, int], *, stride: int, pad: int) -> tuple[nn.Module, ...]:
    """`stride` and `pad` within a frame; over time 1 and 0."""
    return nn.Conv3d(inputs, outputs, kernel, (1, stride, stride), (0, pad, pad)), nn.BatchNorm3d(outputs), nn.ReLU()


def _head() -> nn.Sequential:
    return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, EMBEDDING))
