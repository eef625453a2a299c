"""DOVER: two backbones and two heads that judge one video (dover.md; Wu et al. 2023)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from udfs.nets.dover.convnext3d import AestheticBackbone
from udfs.nets.dover.swin3d import TechnicalBackbone
from udfs.nets.linear import use_dtype
from udfs.nets.true_float32 import true_float32

FEATURES = 768
HIDDEN = 64
CLIPS_PER_VIDEO = 3
"""Technical clips of one video; there is one aesthetic clip."""


class Head(nn.Module):
    """(N, 768, T, H, W) features -> (N, 1, T, H, W) map of scores, float32."""

    def __init__(self) -> None:
        super().__init__()
        self.fc_hid = nn.Conv3d(FEATURES, HIDDEN, 1)
        self.fc_last = nn.Conv3d(HIDDEN, 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(N, 768, T, H, W) -> (N, 1, T, H, W) in float32."""
        hidden = F.gelu(self.fc_hid(features.to(self.fc_hid.weight.dtype)))
        return self.fc_last(hidden).float()


class Dover(nn.Module):
    """The whole network, for inference. Its state dict has the keys of the official `DOVER.pth`."""

    def __init__(self) -> None:
        super().__init__()
        self.technical_backbone = TechnicalBackbone()
        self.aesthetic_backbone = AestheticBackbone()
        self.technical_head = Head()
        self.aesthetic_head = Head()

    def aesthetic_map(self, view: Tensor) -> Tensor:
        """Normalised (N, 3, T, H, W) resized views -> (N, 1, T // 2, H // 32, W // 32) scores."""
        return self.aesthetic_head(self.aesthetic_backbone(view))

    def technical_map(self, view: Tensor) -> Tensor:
        """Normalised (N, 3, T, H, W) clips of fragments -> (N, 1, T / 2, H / 32, W / 32) scores."""
        return self.technical_head(self.technical_backbone(view))

    def forward(self, aes_view: Tensor, tech_view: Tensor) -> tuple[Tensor, Tensor]:
        """(V, 3, 32, 224, 224) and (3 V, 3, 32, 224, 224) -> raw scores of each aesthetic clip (V) and each technical clip (3 V)."""
        return self.aesthetic_map(aes_view).mean((1, 2, 3, 4)), self.technical_map(tech_view).mean((1, 2, 3, 4))

    def in_dtype(self, dtype: torch.dtype) -> "Dover":
        """The same network, its backbones' products and convolutions in `dtype`, its heads in float32."""
        for backbone in (self.technical_backbone, self.aesthetic_backbone):
            use_dtype(backbone, dtype)
        return self


@torch.inference_mode()
@true_float32()
def raw_scores(network: Dover, aes_view: Tensor, tech_view: Tensor) -> tuple[list[float], list[float]]:
    """Raw aesthetic and technical score of each of V videos; the views are as in `Dover.forward`."""
    aesthetic, technical = network(aes_view, tech_view)
    return aesthetic.tolist(), technical.view(-1, CLIPS_PER_VIDEO).mean(1).tolist()
