"""V-Kps guider: from the drawn key points to features for the denoising UNet (vexpress.md §6.1)."""

import torch.nn.functional as F
from torch import Tensor, nn

from training.model.denoising_unet import folded


class VKpsGuider(nn.Module):
    """(b, 3, f, H, W) in 0..1 -> (b, outputs, f, H / 8, W / 8); zero as constructed."""

    def __init__(self, channels: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(3, channels[0], 3, padding=1)
        self.blocks = nn.ModuleList()
        for given, wider in zip(channels, channels[1:]):
            self.blocks.append(nn.Conv2d(given, given, 3, padding=1))
            self.blocks.append(nn.Conv2d(given, wider, 3, stride=2, padding=1))
        self.conv_out = nn.Conv2d(channels[-1], outputs, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)

    def forward(self, kps_images: Tensor) -> Tensor:
        """(b, 3, f, H, W) in 0..1, sides multiples of 8 -> (b, outputs, f, H / 8, W / 8)."""
        x = F.silu(self.conv_in(folded(kps_images).to(self.conv_in.weight.dtype)))
        for block in self.blocks:
            x = F.silu(block(x))
        return self.conv_out(x).unflatten(0, (-1, kps_images.shape[2])).transpose(1, 2)
