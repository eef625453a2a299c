"""From noise to the latents of a video of any length (vexpress.md §8.4)."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from training.model import ddim
from training.model.conditions import Conditions
from training.model.context_windows import windows
from training.model.denoising_unet import DenoisingUNet

GUIDANCE = 3.5
STEPS = 25

Window = Sequence[int]
"""Frame numbers that the UNet sees at once."""
Predictor = Callable[[Tensor, int, Window], Tensor]
"""v, guided, for latents (1, 4, f, h, w) of a window at a timestep; on any device."""


class OfFrames(Protocol):
    """The conditions of a whole video; `Conditions` is one, others make a window's when it is asked for."""

    def frames(self, indices: Window) -> Conditions:
        """Those of the frames `indices`."""


def initial_noise(shape: tuple[int, ...], seed: int) -> Tensor:
    """float32 on the CPU; the same for a seed on every machine."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


class Guided:
    """Classifier-free guidance over one UNet: a `Predictor`. Guidance of 1 or less leaves the unconditional pass out.

    `together`: both passes in one batch, at twice the memory. Windows are computed on the UNet's device.
    """

    def __init__(self, unet: DenoisingUNet, conditions: OfFrames, guidance: float = GUIDANCE, *, together: bool = False) -> None:
        self._unet, self._conditions, self._guidance, self._together = unet, conditions, guidance, together

    @torch.no_grad()
    def __call__(self, latents: Tensor, timestep: int, window: Window) -> Tensor:
        """As `Predictor`."""
        device = self._unet.conv_in.weight.device
        latents, now = latents.to(device), torch.tensor([timestep], device=device)
        conditions = self._conditions.frames(window).to(device)
        if self._guidance <= 1.0:
            return self._unet(latents, now, conditions)
        if self._together:
            unconditional, conditional = self._unet(torch.cat([latents, latents]), now, replace(conditions, bare_samples=len(latents))).chunk(2)
        else:
            unconditional, conditional = self._unet(latents, now, conditions.nothing()), self._unet(latents, now, conditions)
        return unconditional + self._guidance * (conditional - unconditional)


@torch.no_grad()
def sampled(predictors: Sequence[Predictor], latents: Tensor, steps: int, seen_together: Sequence[Window]) -> Iterator[Tensor]:
    """Denoise `latents` (1, 4, frames, h, w), float32 or finer, IN PLACE; yields them after each step.

    Every step shares the windows out to the predictors, which work side by side, each in a thread; the result does not depend on their number.
    In a frame that several windows see, their predictions are averaged. A frame goes on a step as soon as its last window is done, so that
    besides the latents only what windows share is kept. Raises `ValueError` where a window has a frame twice, or a frame is in none.
    """
    frames = latents.shape[2]
    if any(len(set(window)) < len(window) for window in seen_together):
        raise ValueError(f"{frames} frames do not fill whole windows; `context_windows.video_length` gives a number that does")
    counts = torch.bincount(torch.tensor([frame for window in seen_together for frame in window]), minlength=frames)
    if counts.min() == 0:
        raise ValueError(f"frame {int(counts.argmin())} of {frames} is in no window")
    with ThreadPoolExecutor(len(predictors), thread_name_prefix="windows") as threads:
        for timestep in ddim.timesteps(steps):
            left, sums = counts.tolist(), {}
            for group in (seen_together[first : first + len(predictors)] for first in range(0, len(seen_together), len(predictors))):
                asked = [threads.submit(predict, latents[:, :, list(window)], timestep, window) for predict, window in zip(predictors, group)]
                for window, answer in zip(group, asked):
                    v = answer.result().to(latents)
                    for place, frame in enumerate(window):
                        sums[frame] = v[:, :, place] + sums.pop(frame, 0)
                        left[frame] -= 1
                    done = [frame for frame in window if left[frame] == 0]
                    if done:
                        mean = torch.stack([sums.pop(frame) / int(counts[frame]) for frame in done], dim=2)
                        latents[:, :, done] = ddim.step(latents[:, :, done], mean, timestep, steps)
            yield latents


@torch.no_grad()
def denoised(
    unet: DenoisingUNet,
    latents: Tensor,
    conditions: Conditions,
    *,
    steps: int = STEPS,
    guidance: float = GUIDANCE,
    seen_together: Sequence[Window] | None = None,
) -> Iterator[Tensor]:
    """The latents (1, 4, frames, h, w) after each step, from noise to clean, in at least float32 on the device of `latents`, which stay as they are.

    `conditions` are those of all frames; they are cut to windows, by default those of `context_windows.windows`, and moved to the UNet's device.
    Raises as `sampled` does; a frame is twice in a window when the last one is mirrored.
    """
    chosen = windows(latents.shape[2]) if seen_together is None else seen_together
    started = latents.to(torch.promote_types(latents.dtype, torch.float32), copy=True)
    guided = Guided(unet, with_reference_keys(unet, conditions), guidance)
    for state in sampled([guided], started, steps, chosen):
        yield state.clone()


def with_reference_keys(unet: DenoisingUNet, conditions: Conditions) -> Conditions:
    """The same conditions with banks replaced by their keys and values for this UNet, on its device: they serve every window and step."""
    if conditions.reference is None:
        return conditions
    device = unet.conv_in.weight.device
    banks = {name: bank.to(device) for name, bank in conditions.reference.items() if isinstance(bank, Tensor)}
    return replace(conditions, reference={**conditions.reference, **unet.reference_keys(banks)})
