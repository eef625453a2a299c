"""What steers the denoising UNet besides the noise: key points, audio, the portrait (vexpress.md §4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from training.model.attention import KeysValues


@dataclass(frozen=True)
class Conditions:
    """Of b samples with f frames each. What is None is zero: its attention then adds its output's bias times its weight, which is not nothing (§4.1).

    `kps_features` (b, channels, f, h, w); `audio_tokens` (b, f, tokens, width); `reference` by name of the block, a bank (b, n, width), shared by the frames,
    or its keys and values from `DenoisingUNet.reference_keys`; `reference_kept` by name of the block, (b, f) bool, False where a frame's bank counts as zero.
    The weights multiply what the attentions add: 1 in training; 0.95 and 3.0 are the usual ones when generating.
    `bare_samples`: so many samples come before the b ones and have no conditions at all: the unconditional half of guidance in one batch.
    """

    kps_features: Tensor | None = None
    audio_tokens: Tensor | None = None
    reference: Mapping[str, Tensor | KeysValues] | None = None
    reference_kept: Mapping[str, Tensor] | None = None
    reference_weight: float = 1.0
    audio_weight: float = 1.0
    bare_samples: int = 0

    def nothing(self) -> "Conditions":
        """The same weights with nothing to attend to: the unconditional half of guidance."""
        return Conditions(reference_weight=self.reference_weight, audio_weight=self.audio_weight)

    def frames(self, indices: Sequence[int]) -> "Conditions":
        """Those of the frames `indices`."""
        chosen = list(indices)
        return replace(
            self,
            kps_features=None if self.kps_features is None else self.kps_features[:, :, chosen],
            audio_tokens=None if self.audio_tokens is None else self.audio_tokens[:, chosen],
            reference_kept=None if self.reference_kept is None else {name: kept[:, chosen] for name, kept in self.reference_kept.items()},
        )

    def to(self, device: torch.device) -> "Conditions":
        """The same on another device."""
        return replace(
            self,
            kps_features=None if self.kps_features is None else self.kps_features.to(device),
            audio_tokens=None if self.audio_tokens is None else self.audio_tokens.to(device),
            reference=None if self.reference is None else {name: _moved(bank, device) for name, bank in self.reference.items()},
            reference_kept=None if self.reference_kept is None else {name: kept.to(device) for name, kept in self.reference_kept.items()},
        )


def _moved(bank: Tensor | KeysValues, device: torch.device) -> Tensor | KeysValues:
    return bank.to(device) if isinstance(bank, Tensor) else KeysValues(*(part.to(device) for part in bank))
