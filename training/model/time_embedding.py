"""The vector that tells a UNet how noisy its input is (vexpress.md §2)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TimeEmbedding(nn.Module):
    """Timesteps (b,) -> (b, width)."""

    def __init__(self, sinusoid_width: int, width: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(sinusoid_width, width)
        self.linear_2 = nn.Linear(width, width)

    def forward(self, timesteps: Tensor) -> Tensor:
        """Timesteps (b,) -> (b, width) in the dtype of the weights."""
        x = sinusoid(timesteps, self.linear_1.in_features).to(self.linear_1.weight.dtype)
        return self.linear_2(F.silu(self.linear_1(x)))


def sinusoid(timesteps: Tensor, width: int) -> Tensor:
    """(b,) -> (b, width) in float32: cosines of t at falling frequencies, then the sines."""
    half = width // 2
    frequency = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32, device=timesteps.device) / half)
    angle = timesteps.float()[:, None] * frequency
    return torch.cat([angle.cos(), angle.sin()], dim=1)
