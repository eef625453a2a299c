"""Motion modules: attention over the frames at each place of the image (vexpress.md §5)."""

import math

import torch
from torch import Tensor, nn

from training.model.attention import Attention, FeedForward

NORM_EPS = 1e-6


class MotionModule(nn.Module):
    """(b * f, width, h, w) of b samples with f frames -> the same shape; changes nothing as constructed."""

    def __init__(self, width: int, groups: int, heads: int, max_frames: int) -> None:
        super().__init__()
        self.temporal_transformer = TemporalTransformer(width, groups, heads, max_frames)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """(b * frames, width, h, w) -> the same shape."""
        return self.temporal_transformer(x, frames)


class TemporalTransformer(nn.Module):
    """The norm is over single frames, the attention over the frames of one place."""

    def __init__(self, width: int, groups: int, heads: int, max_frames: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, width, NORM_EPS)
        self.proj_in = nn.Linear(width, width)
        self.transformer_blocks = nn.ModuleList([TemporalBlock(width, heads, max_frames)])
        self.proj_out = nn.Linear(width, width)
        nn.init.zeros_(self.proj_out.weight)
        nn.init.zeros_(self.proj_out.bias)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """As `MotionModule`."""
        places = self.norm(x).flatten(2).unflatten(0, (-1, frames)).permute(0, 3, 1, 2)
        sequences = self.proj_out(self.transformer_blocks[0](self.proj_in(places.flatten(0, 1))))
        moved = sequences.unflatten(0, places.shape[:2]).permute(0, 2, 3, 1).flatten(0, 1)
        return x + moved.unflatten(2, x.shape[2:])


class TemporalBlock(nn.Module):
    """(places, f, width) -> the same: twice attention over frames, then feed-forward, all residual."""

    def __init__(self, width: int, heads: int, max_frames: int) -> None:
        super().__init__()
        self.attention_blocks = nn.ModuleList([TemporalAttention(width, heads, max_frames) for _ in range(2)])
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(2)])
        self.ff = FeedForward(width)
        self.ff_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """(places, f, width) -> the same shape."""
        for norm, attention in zip(self.norms, self.attention_blocks):
            x = x + attention(norm(x))
        return x + self.ff(self.ff_norm(x))


class TemporalAttention(Attention):
    """Attention over frames that know their place in the window."""

    def __init__(self, width: int, heads: int, max_frames: int) -> None:
        super().__init__(width, heads)
        self.pos_encoder = FramePositions(width, max_frames)

    def forward(self, x: Tensor) -> Tensor:
        """(places, f, width) -> the same shape."""
        return super().forward(self.pos_encoder(x))


class FramePositions(nn.Module):
    """Adds the position of each frame, counted from the first frame given, to (places, f, width).

    The table is part of official checkpoints (there in half precision) and loaded from them.
    Raises `ValueError` for more frames than the table has.
    """

    def __init__(self, width: int, max_frames: int) -> None:
        super().__init__()
        self.register_buffer("pe", position_table(width, max_frames))

    def forward(self, x: Tensor) -> Tensor:
        """(places, f, width) -> the same shape. Raises `ValueError` for more frames than the table has."""
        if x.shape[1] > self.pe.shape[1]:
            raise ValueError(f"motion modules see at most {self.pe.shape[1]} frames at once, not {x.shape[1]}")
        return x + self.pe[:, : x.shape[1]].to(x.dtype)


def position_table(width: int, frames: int) -> Tensor:
    """(1, frames, width) in float32: sines at even and cosines at odd places, frequencies falling along the width."""
    frequency = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10000.0) / width))
    angle = torch.arange(frames, dtype=torch.float32)[:, None] * frequency
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1).unsqueeze(0)
