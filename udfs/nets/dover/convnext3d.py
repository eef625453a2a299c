"""Aesthetic backbone of DOVER: ConvNeXt tiny, inflated to three dimensions (dover.md §3; Liu et al. 2022).

Tokens are kept (batch, time, height, width, channels), contiguous, which is torch's channels-last layout once permuted; blocks change them in place.
"""

import torch
from torch import Tensor, nn

from udfs.nets.linear import Linear
from udfs.nets.tiles import row_tiles

STEM = (2, 4, 4)
WIDTHS = (96, 192, 384, 768)
DEPTHS = (3, 3, 9, 3)
NORM_EPS = 1e-6


def _channels_first(x: Tensor) -> Tensor:
    return x.permute(0, 4, 1, 2, 3)


def _channels_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 4, 1)


class Block(nn.Module):
    """x + gamma * Mlp(LN(depthwise 7 x 7 convolution)); every third block's convolution also spans three time steps."""

    def __init__(self, width: int, number: int) -> None:
        super().__init__()
        span = 3 if number % 3 == 1 else 1
        self.dwconv = nn.Conv3d(width, width, (span, 7, 7), padding=(span // 2, 3, 3), groups=width)
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.pwconv1 = Linear(width, 4 * width, activation="gelu")
        self.pwconv2 = Linear(4 * width, width)
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) -> the same tensor, changed."""
        mixed = _channels_last(self.dwconv(_channels_first(x).to(self.dwconv.weight.dtype))).contiguous()
        for rows, mixed_rows in zip(row_tiles(x), row_tiles(mixed), strict=True):
            rows.addcmul_(self.gamma, self.pwconv2(self.pwconv1(self.norm(mixed_rows.float()))))
        return x


class AestheticBackbone(nn.Module):
    """(N, 3, T, H, W) normalised -> (N, 768, T // 2, H // 32, W // 32) features; remainders are dropped at each step down."""

    def __init__(self) -> None:
        super().__init__()
        steps = [nn.Sequential(nn.Conv3d(3, WIDTHS[0], STEM, stride=STEM), nn.LayerNorm(WIDTHS[0], eps=NORM_EPS))]
        for narrow, wide in zip(WIDTHS, WIDTHS[1:], strict=False):
            steps.append(nn.Sequential(nn.LayerNorm(narrow, eps=NORM_EPS), nn.Conv3d(narrow, wide, (1, 2, 2), stride=(1, 2, 2))))
        self.downsample_layers = nn.ModuleList(steps)
        self.stages = nn.ModuleList(nn.Sequential(*(Block(width, number) for number in range(depth))) for width, depth in zip(WIDTHS, DEPTHS, strict=True))
        self.norm = nn.LayerNorm(WIDTHS[-1], eps=NORM_EPS)

    def forward(self, video: Tensor) -> Tensor:
        """(N, 3, T, H, W) normalised -> (N, 768, T // 2, H // 32, W // 32) in float32."""
        convolution, norm = self.downsample_layers[0]
        x = norm(_channels_last(convolution(video.to(convolution.weight.dtype))).float().contiguous())
        x = self.stages[0](x)
        for (norm, convolution), stage in zip(self.downsample_layers[1:], self.stages[1:], strict=True):
            x = convolution(_channels_first(norm(x)).to(convolution.weight.dtype))
            x = stage(_channels_last(x).float().contiguous())
        return _channels_first(self.norm(x))
