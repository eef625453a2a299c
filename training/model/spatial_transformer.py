"""From an image of features to tokens, through one transformer block, and back (vexpress.md §2)."""

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

NORM_EPS = 1e-6


class SpatialTransformer(nn.Module):
    """An image (n, width, h, w) -> the same shape. `block` makes the transformer block for a width."""

    def __init__(self, width: int, groups: int, block: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, width, NORM_EPS)
        self.proj_in = PointConv(width)
        self.transformer_blocks = nn.ModuleList([block(width)])
        self.proj_out = PointConv(width)

    def forward(self, image: Tensor, *arguments: Any) -> Tensor:
        """`arguments` are those of the block after its tokens."""
        return self.leave(self.block(self.enter(image), *arguments), image)

    @property
    def block(self) -> nn.Module:
        """The transformer block."""
        return self.transformer_blocks[0]

    def enter(self, image: Tensor) -> Tensor:
        """(n, width, h, w) -> tokens (n, h * w, width), row by row."""
        return self.proj_in(self.norm(image).flatten(2).transpose(1, 2))

    def leave(self, tokens: Tensor, image: Tensor) -> Tensor:
        """Tokens (n, h * w, width) added to the image (n, width, h, w) that they came from."""
        return image + self.proj_out(tokens).transpose(1, 2).unflatten(2, image.shape[2:])


class PointConv(nn.Conv2d):
    """A 1x1 convolution, applied to tokens (n, h * w, width), where it is a matrix product."""

    def __init__(self, width: int) -> None:
        super().__init__(width, width, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, h * w, width) -> the same shape."""
        return F.linear(tokens, self.weight.flatten(1), self.bias)
