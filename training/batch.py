"""What the data stream hands to the trainer: one rank's samples of one optimisation step (vexpress.md §11.1, §11.5)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class SampleKey:
    """Which part of which clip a sample is. `index` counts the samples of all ranks from 0 and never repeats: the key of its
    noise, timestep and drops, whatever the number of ranks."""

    clip_id: str
    epoch: int
    index: int
    first_frame: int
    reference_frame: int
    flipped: bool


@dataclass
class Batch:
    """`b` samples of `f` frames; H, W are the picture's height and width in px, h, w those of its latents (an eighth).

    Either pictures or, when latents are cached, moments (mean, then logarithm of the variance, before the scale 0.18215) are there.
    """

    step: int
    samples: list[SampleKey]
    targets: Tensor | None
    """(b, 3, f, H, W) in -1..1"""
    references: Tensor | None
    """(b, 3, H, W) in -1..1"""
    target_moments: Tensor | None
    """(b, 8, f, h, w)"""
    reference_moments: Tensor | None
    """(b, 8, h, w)"""
    kps_images: Tensor
    """(b, 3, f, H, W) in 0..1"""
    audio_windows: Tensor
    """(b, f, 10, width): what is heard around each frame"""
    lip_masks: Tensor
    """(b, 1, f, h, w) in 0..1, soft at its edges"""

    def to(self, device: Any, dtype: Any = None) -> Batch:
        """The same batch with its tensors on another device, and in another dtype where one is given."""
        return replace(self, **{name: value.to(device, dtype) for name, value in self.tensors().items()})

    def tensors(self) -> dict[str, Tensor]:
        """The tensors that are there, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in ("step", "samples")}
        return {name: value for name, value in values.items() if value is not None}
