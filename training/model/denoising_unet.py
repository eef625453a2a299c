"""The denoising UNet: SD-1.5 per frame, with reference attention and motion modules (vexpress.md §4)."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.model.attention import Attention, FeedForward, KeysValues
from training.model.conditions import Conditions
from training.model.config import UNetConfig
from training.model.resnet import NORM_EPS
from training.model.unet import Layer, UNet


class DenoisingBlock(nn.Module):
    """Attention to the own frame, to the portrait, to the frame's audio, then feed-forward (§4.1)."""

    def __init__(self, width: int, heads: int, context_width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn1 = Attention(width, heads)
        self.norm1_5 = nn.LayerNorm(width)
        self.attn1_5 = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.attn2 = Attention(width, heads, context_width)
        self.norm3 = nn.LayerNorm(width)
        self.ff = FeedForward(width)
        nn.init.zeros_(self.attn2.to_out[0].weight)

    def forward(self, x: Tensor, frames: int, conditions: Conditions, name: str) -> Tensor:
        """Tokens (b * f, n, width) -> the same; `name` is the one under which the block's bank is known."""
        bare = conditions.bare_samples * frames
        x = x + self.attn1(self.norm1(x))
        seen = self._look_at_portrait(x[bare:], frames, conditions, name)
        x = x + conditions.reference_weight * _with_bare(seen, self.attn1_5.answer_to_zeros, bare)
        heard = self._listen(x[bare:], conditions.audio_tokens)
        x = x + conditions.audio_weight * _with_bare(heard, self.attn2.answer_to_zeros, bare)
        return x + self.ff(self.norm3(x))

    def _look_at_portrait(self, x: Tensor, frames: int, conditions: Conditions, name: str) -> Tensor:
        """The frames of a sample look at one bank, so they ask as one long row of queries and the bank's keys are made once.

        A zero bank has zero keys and values, so a dropped frame's attention is zero before the output projection.
        """
        if conditions.reference is None:
            return self.attn1_5.answer_to_zeros
        bank = conditions.reference[name]
        seen = bank if isinstance(bank, KeysValues) else self.attn1_5.keys_values(bank)
        queries = self.norm1_5(x).unflatten(0, (-1, frames))
        attended = self.attn1_5.attend(queries.flatten(1, 2), seen).view_as(queries)
        if conditions.reference_kept is not None:
            attended = attended.masked_fill(~conditions.reference_kept[name][:, :, None, None], 0.0)
        return self.attn1_5.project(attended.flatten(0, 1))

    def _listen(self, x: Tensor, audio_tokens: Tensor | None) -> Tensor:
        if audio_tokens is None:
            return self.attn2.answer_to_zeros
        return self.attn2(self.norm2(x), audio_tokens.flatten(0, 1))


class DenoisingUNet(UNet):
    """Predicts v for noisy latents of a window of frames."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__(config, lambda width: DenoisingBlock(width, config.heads, config.context_width), motion=True)
        self.conv_norm_out = nn.GroupNorm(config.groups, config.channels[0], NORM_EPS)
        self.conv_out = nn.Conv2d(config.channels[0], config.latent_channels, 3, padding=1)

    def forward(self, latents: Tensor, timesteps: Tensor, conditions: Conditions, *, motion: bool = True) -> Tensor:
        """Latents (b, 4, f, h, w) at timesteps (b,) or (1,) -> v of the same shape, in the dtype of the weights.

        f is at most `config.motion_frames`. Without `motion` the motion modules do not run: exact, and a quarter cheaper, while their last
        layers are zero, as in stage 1. Raises `ValueError` where h or w is no multiple of 8 (at full size), or f is too great.
        """
        self._check_size(latents)
        frames = latents.shape[2]
        x = self.conv_in(folded(latents).to(self.dtype))
        if conditions.kps_features is not None:
            features = folded(conditions.kps_features).to(x.dtype)
            x = x + _with_bare(features, features.new_zeros(()), conditions.bare_samples * frames)
        time = self.time_embedding(timesteps)
        x = self.walk(x, lambda x, layer: self._kept_small(self._layer, x, layer, time, frames, conditions, motion))
        x = self.conv_out(F.silu(self.conv_norm_out(x)))
        return x.unflatten(0, (-1, frames)).transpose(1, 2)

    def reference_keys(self, banks: Mapping[str, Tensor]) -> dict[str, KeysValues]:
        """Keys and values of the banks (b, n, width), the same for every frame and step: made once per portrait, they spare making them each time."""
        return {name: self.get_submodule(name).block.attn1_5.keys_values(bank) for name, bank in banks.items()}

    @staticmethod
    def _layer(x: Tensor, layer: Layer, time: Tensor, frames: int, conditions: Conditions, motion: bool) -> Tensor:
        x = layer.resnet(x, time)
        if layer.attention is not None:
            x = layer.attention(x, frames, conditions, layer.name)
        if motion and layer.motion is not None:
            x = layer.motion(x, frames)
        return x


def _with_bare(added: Tensor, to_bare: Tensor, bare: int) -> Tensor:
    """What attention adds (n, ...), with `to_bare` in front of it for `bare` frames without conditions."""
    return added if bare == 0 or added.ndim < 3 else torch.cat([to_bare.expand(bare, *added.shape[1:]), added])


def folded(video: Tensor) -> Tensor:
    """(b, channels, f, h, w) -> (b * f, channels, h, w), the frames of a sample one after the other."""
    return video.transpose(1, 2).flatten(0, 1)
