"""All chance in training, each number a pure function of (seed, step, sample): runs compare whatever the number of ranks, workers and restarts.

Everything is drawn on the CPU, from generators of its own; the process's own generators are not touched.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from training.model.condition_drops import DropRates, Drops
from training.model.noise_schedule import draw_noise, draw_timesteps


def generator(*key: object) -> torch.Generator:
    """A CPU generator that depends on `key` alone."""
    digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


@dataclass(frozen=True)
class Draws:
    """What chance decides for b samples of f frames with latents of h x w."""

    noise: Tensor
    """(b, 4, f, h, w), mixed into the latents"""
    timesteps: Tensor
    """(b,) int64"""
    target_noise: Tensor
    """(b, 4, f, h, w), picks the latents from the VAE's posterior"""
    reference_noise: Tensor
    """(b, 4, h, w)"""
    drops: Drops | None
    """None where nothing is dropped at all"""

    @classmethod
    def of(
        cls, seed: int, step: int, indices: Sequence[int], latent: tuple[int, int, int], rates: DropRates, blocks: Sequence[str], noise_offset: float
    ) -> "Draws":
        """Those of the samples `indices` of a step. `latent` is (f, h, w); `blocks` are the names of the attentions that look at the portrait.

        Whether a step goes without any condition is one draw, the same for all its samples on all ranks (talkvid.md §8.2).
        """
        unconditional = bool(torch.rand(1, generator=generator(seed, step, "unconditional")) < rates.unconditional)
        samples = [_of_one(generator(seed, step, index), latent, rates, blocks, noise_offset) for index in indices]
        drops = Drops.together([sample.drops for sample in samples])
        drops = replace(drops, unconditional=torch.full_like(drops.unconditional, unconditional))
        return cls(
            noise=torch.cat([sample.noise for sample in samples]),
            timesteps=torch.cat([sample.timesteps for sample in samples]),
            target_noise=torch.cat([sample.target_noise for sample in samples]),
            reference_noise=torch.cat([sample.reference_noise for sample in samples]),
            drops=drops if unconditional or drops.kps.any() or any(dropped.any() for dropped in drops.reference.values()) else None,
        )

    def to(self, device: torch.device) -> "Draws":
        """The same on another device."""
        moved = {name: getattr(self, name).to(device, non_blocking=True) for name in ("noise", "timesteps", "target_noise", "reference_noise")}
        return replace(self, **moved, drops=None if self.drops is None else self.drops.to(device))


def _of_one(source: torch.Generator, latent: tuple[int, int, int], rates: DropRates, blocks: Sequence[str], noise_offset: float) -> Draws:
    frames, height, width = latent
    return Draws(
        noise=draw_noise(source, (1, 4, frames, height, width), noise_offset),
        timesteps=draw_timesteps(source, 1),
        target_noise=torch.randn(1, 4, frames, height, width, generator=source),
        reference_noise=torch.randn(1, 4, height, width, generator=source),
        drops=Drops.draw(source, rates, frames, blocks),
    )
