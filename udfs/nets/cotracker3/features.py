"""Feature network of CoTracker3: a residual network, frame by frame (cotracker3.md §2)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STRIDE = 4
CHANNELS = 128
CPU_FRAMES = 2
"""Frames that one CPU pass takes: more need more memory and time."""


def _normed(x: Tensor) -> Tensor:
    """Instance norm over height and width, without parameters."""
    return F.instance_norm(x.float())


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside an identity, or beside a 1 x 1 convolution where the block has a stride of 2."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride)) if stride > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h / stride, w / stride), not negative."""
        x = x.to(self.conv1.weight.dtype)
        y = F.relu(_normed(self.conv1(x))).to(x.dtype)
        y = F.relu(_normed(self.conv2(y)))
        return F.relu((x if self.downsample is None else _normed(self.downsample(x))) + y)


class FeatureNetwork(nn.Module):
    """(T, 3, H, W) in -1..1, H and W multiples of 4 -> (T, 128, H / 4, W / 4) features, not normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3)
        self.layer1 = nn.Sequential(ResidualBlock(64, 64, 1), ResidualBlock(64, 64, 1))
        self.layer2 = nn.Sequential(ResidualBlock(64, 96, 2), ResidualBlock(96, 96, 1))
        self.layer3 = nn.Sequential(ResidualBlock(96, 128, 2), ResidualBlock(128, 128, 1))
        self.layer4 = nn.Sequential(ResidualBlock(128, 128, 2), ResidualBlock(128, 128, 1))
        self.conv2 = nn.Conv2d(64 + 96 + 128 + 128, 256, 3, padding=1)
        self.conv3 = nn.Conv2d(256, CHANNELS, 1)

    def forward(self, frames: Tensor) -> Tensor:
        """(T, 3, H, W) in -1..1 -> (T, 128, H / 4, W / 4) in float32."""
        size = (frames.shape[-2] // STRIDE, frames.shape[-1] // STRIDE)
        dtype = self.conv1.weight.dtype
        x = F.relu(_normed(self.conv1(frames.to(dtype))))
        scales = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            scales.append(F.interpolate(x, size, mode="bilinear", align_corners=True).to(dtype))
        x = F.relu(_normed(self.conv2(torch.cat(scales, dim=1))))
        return self.conv3(x.to(dtype)).float()

    def unit_features(self, video: Tensor) -> Tensor:
        """(T, 3, H, W) in 0..255 -> (T, H / 4, W / 4, 128), each pixel's vector of unit length."""
        at_once = CPU_FRAMES if video.device.type == "cpu" else len(video)
        features = torch.cat([self(2 * frames / 255 - 1) for frames in video.split(at_once)]).permute(0, 2, 3, 1)
        return (features / features.square().sum(-1, keepdim=True).clamp(min=1e-12).sqrt()).contiguous()
