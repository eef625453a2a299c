"""Deterministic DDIM steps for a network that predicts v (vexpress.md §8.1)."""

from torch import Tensor

from training.model.noise_schedule import TRAIN_TIMESTEPS, alpha_bars


def timesteps(steps: int) -> list[int]:
    """Trailing spacing, first 999: 25 steps are 999, 959, ..., 39."""
    return [round(TRAIN_TIMESTEPS - k * TRAIN_TIMESTEPS / steps) - 1 for k in range(steps)]


def step(latents: Tensor, v: Tensor, timestep: int, steps: int) -> Tensor:
    """Latents of any shape at `timestep` -> those of the next of `steps` steps; the last gives the clean ones. In the dtype of `latents`."""
    before = timestep - TRAIN_TIMESTEPS // steps
    now = alpha_bars()[timestep].item()
    then = alpha_bars()[before].item() if before >= 0 else 1.0
    clean = now**0.5 * latents - (1.0 - now) ** 0.5 * v
    noise = now**0.5 * v + (1.0 - now) ** 0.5 * latents
    return then**0.5 * clean + (1.0 - then) ** 0.5 * noise
