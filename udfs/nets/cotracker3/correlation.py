"""What a point's surroundings in a frame have in common with its surroundings where it was asked for (cotracker3.md §3 to §6).

A patch is the 7 x 7 samples around a place, one feature pixel apart, the first index running along x. All its samples lie equally far
between pixels, so the 8 x 8 pixels around are gathered once, and what is computed from them is interpolated.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from udfs.nets.cotracker3.features import STRIDE
from udfs.nets.linear import Linear

LEVELS = 4
RADIUS = 3
PATCH = 2 * RADIUS + 1
EMBEDDING = 256


@dataclass(frozen=True)
class Pyramid:
    """Features of T frames at `LEVELS` sizes, each half the one before: (T, h, w, 128) tensors."""

    levels: tuple[Tensor, ...]

    @classmethod
    def of(cls, features: Tensor, dtype: torch.dtype) -> "Pyramid":
        """From (T, h, w, 128) unit features; odd rows and columns at the end are dropped at each step."""
        levels = [features]
        while len(levels) < LEVELS:
            levels.append(F.avg_pool2d(levels[-1].permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1).contiguous())
        return cls(tuple(level.to(dtype) for level in levels))

    @property
    def frames(self) -> int:
        """T."""
        return len(self.levels[0])

    def reversed_in_time(self) -> "Pyramid":
        """The pyramid of the video played backwards."""
        return Pyramid(tuple(level.flip(0) for level in self.levels))


def surroundings(level: Tensor, frame: Tensor, xy: Tensor) -> tuple[Tensor, Tensor]:
    """The pixels around places `xy` (..., 2), in pixels of `level`, of frames `frame` (...): (..., 8, 8, 128), [x, y]; places outside get the border.

    Also how far `xy` lies between pixels: (..., 2) in 0..1, float32.
    """
    _, height, width, _ = level.shape
    corner = xy.floor()
    steps = torch.arange(-RADIUS, RADIUS + 2, device=xy.device)
    x = (corner[..., 0, None].long() + steps).clamp(0, width - 1)
    y = (corner[..., 1, None].long() + steps).clamp(0, height - 1)
    pixel = (frame[..., None, None] * height + y[..., None, :]) * width + x[..., :, None]
    return level.flatten(0, 2).index_select(0, pixel.reshape(-1)).view(*pixel.shape, -1), xy - corner


def interpolated(values: Tensor, between: Tensor) -> Tensor:
    """(..., 8, 8, C) values at pixels, [x, y], and how far between them (..., 2) -> (..., 7, 7, C)."""
    x, y = (between[..., axis, None, None, None].to(values.dtype) for axis in (0, 1))
    values = torch.lerp(values[..., :-1, :, :], values[..., 1:, :, :], x)
    return torch.lerp(values[..., :-1, :], values[..., 1:, :], y)


def support_features(pyramid: Pyramid, queries: Tensor) -> list[Tensor]:
    """Each point's patch where it is asked for, per level: (N, 49, 128). `queries` (N, 3): whole frame number, x, y in px."""
    frame = queries[:, 0].long().clamp(0, pyramid.frames - 1)
    patches = []
    for number, level in enumerate(pyramid.levels):
        around, between = surroundings(level, frame, queries[:, 1:] / (STRIDE * 2**number))
        patches.append(interpolated(around, between).flatten(1, 2))
    return patches


Support = Callable[[slice], list[Tensor]]
"""Gives the support features of some of the points."""


class CorrelationEmbedding(nn.Module):
    """7 x 7 x 7 x 7 products of two patches -> 256 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = Linear(PATCH**4, 384, activation="gelu")
        self.fc2 = Linear(384, EMBEDDING)

    def forward(self, products: Tensor) -> Tensor:
        """(..., 2401) products -> (..., 256)."""
        return self.fc2(self.fc1(products))


def products(level: Tensor, xy: Tensor, support: Tensor) -> Tensor:
    """Dot products of the patches around `xy` (n, T, 2), in pixels of `level` (T, h, w, 128), with `support` (n, 49, 128): (n, T, 2401) float32."""
    points, frames, _ = xy.shape
    frame = torch.arange(frames, device=xy.device).expand(points, -1)
    around, between = surroundings(level, frame, xy)
    at_pixels = torch.bmm(around.view(points, -1, around.shape[-1]), support.transpose(1, 2).contiguous()).float()
    return interpolated(at_pixels.view(*around.shape[:-1], -1), between).flatten(2)


def embedded(mlp: CorrelationEmbedding, pyramid: Pyramid, xy: Tensor, support: list[Tensor]) -> Tensor:
    """All levels' embeddings, level 0 first: (n, T, 1024). `xy` (n, T, 2) in pixels of level 0."""
    return torch.cat([mlp(products(level, xy / 2**number, support[number])) for number, level in enumerate(pyramid.levels)], dim=-1)
