"""ReferenceNet: what the portrait looks like, as features for every transformer block (vexpress.md §3)."""

import torch
from torch import Tensor, nn

from training.model.attention import Attention, FeedForward
from training.model.config import UNetConfig
from training.model.unet import Layer, UNet


class ReferenceBlock(nn.Module):
    """The usual SD block on tokens (b, n, width). Its cross attention sees one zero token, so it adds its output's bias and nothing else."""

    def __init__(self, width: int, heads: int, context_width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn1 = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.attn2 = Attention(width, heads, context_width)
        self.norm3 = nn.LayerNorm(width)
        self.ff = FeedForward(width)

    def begin(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(tokens after self-attention, the bank: what the same block of the denoising UNet attends to)."""
        x = x + self.attn1(self.norm1(x))
        return x, self.norm2(x)

    def finish(self, x: Tensor) -> Tensor:
        """The rest of the block."""
        x = x + self.attn2.answer_to_zeros
        return x + self.ff(self.norm3(x))


class ReferenceNet(UNet):
    """Runs once per portrait, at timestep 0. What comes after the last bank does not run; its weights are kept for the checkpoint's sake."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__(config, lambda width: ReferenceBlock(width, config.heads, config.context_width), motion=False)
        self.conv_out = nn.Conv2d(config.channels[0], config.latent_channels, 3, padding=1)
        self._last = self.attention_names()[-1]

    def forward(self, latents: Tensor) -> dict[str, Tensor]:
        """Scaled VAE latents (b, 4, h, w) of portraits -> the banks (b, tokens, width) by name of their block. Gradients flow through them.

        Raises `ValueError` where h or w is no multiple of 8 (at full size).
        """
        self._check_size(latents)
        banks: dict[str, Tensor] = {}
        time = self.time_embedding(torch.zeros(1, device=latents.device))

        def run(x: Tensor, layer: Layer) -> Tensor:
            x, bank = self._kept_small(self._layer, x, layer, time)
            if bank is not None:
                banks[layer.name] = bank
            return x

        self.walk(self.conv_in(latents.to(self.dtype)), run)
        return banks

    def _layer(self, x: Tensor, layer: Layer, time: Tensor) -> tuple[Tensor, Tensor | None]:
        x = layer.resnet(x, time)
        if layer.attention is None:
            return x, None
        tokens, bank = layer.attention.block.begin(layer.attention.enter(x))
        if layer.name == self._last:
            return x, bank
        return layer.attention.leave(layer.attention.block.finish(tokens), x), bank
