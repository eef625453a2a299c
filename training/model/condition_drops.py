"""Conditions left out at random in training (vexpress.md §4.1, §11.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from training.model.conditions import Conditions


@dataclass(frozen=True)
class DropRates:
    """Probabilities: of a sample without any condition, of a sample without key points, of one frame's bank in one block."""

    unconditional: float = 0.1
    kps: float = 0.0
    reference: float = 0.0


@dataclass(frozen=True)
class Drops:
    """What b samples with f frames go without: `unconditional` (b,), `kps` (b,), `reference` (b, f) by name of the block; all bool."""

    unconditional: Tensor
    kps: Tensor
    reference: Mapping[str, Tensor]

    @classmethod
    def draw(cls, generator: torch.Generator, rates: DropRates, frames: int, blocks: Sequence[str]) -> "Drops":
        """For one sample, from its own CPU generator. Every rate uses up the same numbers whatever is drawn, so that later draws do not depend on it."""
        unconditional = torch.rand(1, generator=generator) < rates.unconditional
        kps = torch.rand(1, generator=generator) < rates.kps
        return cls(unconditional, kps, {name: torch.rand(1, frames, generator=generator) < rates.reference for name in blocks})

    @classmethod
    def together(cls, samples: Sequence["Drops"]) -> "Drops":
        """Those of single samples as those of a batch."""
        names = samples[0].reference
        return cls(
            torch.cat([sample.unconditional for sample in samples]),
            torch.cat([sample.kps for sample in samples]),
            {name: torch.cat([sample.reference[name] for sample in samples]) for name in names},
        )

    def to(self, device: torch.device | str) -> "Drops":
        """The same on another device."""
        return Drops(self.unconditional.to(device), self.kps.to(device), {name: dropped.to(device) for name, dropped in self.reference.items()})

    def applied(self, conditions: Conditions) -> Conditions:
        """`conditions` with zeros where something is dropped, so that no gradient comes from there."""
        alone = self.unconditional[:, None]
        kps, audio = conditions.kps_features, conditions.audio_tokens
        return replace(
            conditions,
            kps_features=None if kps is None else kps.masked_fill((self.unconditional | self.kps)[:, None, None, None, None], 0.0),
            audio_tokens=None if audio is None else audio.masked_fill(alone[:, None, None], 0.0),
            reference_kept={name: ~(alone | dropped) for name, dropped in self.reference.items()},
        )
