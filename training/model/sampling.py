"""From noise to the latents of a video of any length (vexpress.md §8.4)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from training.model import ddim
from training.model.conditions import Conditions
from training.model.context_windows import windows
from training.model.denoising_unet import DenoisingUNet

GUIDANCE = 3.5
STEPS = 25


def initial_noise(shape: tuple[int, ...], seed: int) -> Tensor:
    """float32 on the CPU; the same for a seed on every machine."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def denoised(
    unet: DenoisingUNet,
    latents: Tensor,
    conditions: Conditions,
    *,
    steps: int = STEPS,
    guidance: float = GUIDANCE,
    seen_together: Sequence[Sequence[int]] | None = None,
) -> Iterator[Tensor]:
    """The latents (1, 4, frames, h, w) after each step, from noise to clean, in at least float32 on the device of `latents`.

    `conditions` are those of all frames; they are cut to windows, by default those of `context_windows.windows`, and moved to the UNet's device.
    In a frame that several windows see, their predictions are averaged. Guidance of 1 or less leaves the unconditional pass out.
    Raises `ValueError` where a window has a frame twice, which happens when the last one is mirrored.
    """
    chosen = windows(latents.shape[2]) if seen_together is None else seen_together
    if any(len(set(window)) < len(window) for window in chosen):
        raise ValueError(f"{latents.shape[2]} frames do not fill whole windows; `context_windows.video_length` gives a number that does")
    latents = latents.to(torch.promote_types(latents.dtype, torch.float32))
    counts = torch.bincount(torch.tensor([frame for window in chosen for frame in window]), minlength=latents.shape[2]).to(latents)
    if conditions.reference is not None:
        conditions = _with_reference_keys(unet, conditions)
    for timestep in ddim.timesteps(steps):
        v = torch.zeros_like(latents)
        for window in map(list, chosen):
            v[:, :, window] += _guided(unet, latents[:, :, window], timestep, conditions.frames(window), guidance).to(v)
        latents = ddim.step(latents, v / counts[:, None, None], timestep, steps)
        yield latents


def _with_reference_keys(unet: DenoisingUNet, conditions: Conditions) -> Conditions:
    banks = {name: bank for name, bank in conditions.reference.items() if isinstance(bank, Tensor)}
    return replace(conditions, reference={**conditions.reference, **unet.reference_keys(banks)})


def _guided(unet: DenoisingUNet, latents: Tensor, timestep: int, conditions: Conditions, guidance: float) -> Tensor:
    device = unet.conv_in.weight.device
    latents, now = latents.to(device), torch.tensor([timestep], device=device)
    conditional = unet(latents, now, conditions.to(device))
    if guidance <= 1.0:
        return conditional
    unconditional = unet(latents, now, conditions.nothing())
    return unconditional + guidance * (conditional - unconditional)
