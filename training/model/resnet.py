"""Convolutions of the UNets: residual blocks and the steps between levels (vexpress.md §2)."""

import torch.nn.functional as F
from torch import Tensor, nn

NORM_EPS = 1e-5
"""Of residual blocks and of the norm before the last convolution; transformers and motion modules have 1e-6."""


class ResnetBlock(nn.Module):
    """Two 3x3 convolutions with the time vector in between."""

    def __init__(self, inputs: int, outputs: int, time_width: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inputs, NORM_EPS)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.time_emb_proj = nn.Linear(time_width, outputs)
        self.norm2 = nn.GroupNorm(groups, outputs, NORM_EPS)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """(b * f, inputs, h, w) and a time vector (b, time width) shared by the frames of a sample -> (b * f, outputs, h, w)."""
        shift = self.time_emb_proj(F.silu(time)).repeat_interleave(len(x) // len(time), dim=0)
        hidden = self.conv1(F.silu(self.norm1(x))) + shift[:, :, None, None]
        hidden = self.conv2(F.silu(self.norm2(hidden)))
        return hidden + (x if self.conv_shortcut is None else self.conv_shortcut(x))


class Downsample(nn.Module):
    """(n, width, h, w) -> (n, width, h / 2, w / 2)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, h, w) -> (n, width, h / 2, w / 2)."""
        return self.conv(x)


class Upsample(nn.Module):
    """(n, width, h, w) -> (n, width, 2 h, 2 w)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, h, w) -> (n, width, 2 h, 2 w)."""
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
