"""How noise is mixed into latents, and how much each timestep counts (vexpress.md §8.1, §11.1)."""

from functools import cache

import torch
from torch import Tensor

TRAIN_TIMESTEPS = 1000
BETA_START, BETA_END = 0.00085, 0.012
NOISE_OFFSET = 0.05
SNR_GAMMA = 5.0


@cache
def alpha_bars() -> Tensor:
    """(1000,) float32 on the CPU: the share of signal, in variance, at each timestep; exactly 0 at the last.

    Scaled-linear betas with their roots shifted and stretched so that the last is 0 (Lin et al. 2024, algorithm 1).
    Rounded as the usual implementation rounds, betas made of alpha-bars and back, so that numbers agree up to the
    rounding of square roots, which differs between processors.
    """
    betas = torch.linspace(BETA_START**0.5, BETA_END**0.5, TRAIN_TIMESTEPS, dtype=torch.float32) ** 2
    roots = (1.0 - betas).cumprod(0).sqrt()
    first, last = roots[0].clone(), roots[-1].clone()
    bars = ((roots - last) * (first / (first - last))) ** 2
    alphas = torch.cat([bars[:1], bars[1:] / bars[:-1]])
    return (1.0 - (1.0 - alphas)).cumprod(0)


def draw_noise(generator: torch.Generator, shape: tuple[int, ...], offset: float = NOISE_OFFSET) -> Tensor:
    """float32 noise of `shape` (b, 4, f, h, w) on the generator's device; `offset` times a number per sample and channel is added."""
    noise = torch.randn(shape, generator=generator, device=generator.device)
    shift = torch.randn((*shape[:2], 1, 1, 1), generator=generator, device=generator.device)
    return noise + offset * shift


def draw_timesteps(generator: torch.Generator, samples: int) -> Tensor:
    """(samples,) int64, uniform in 0..999."""
    return torch.randint(0, TRAIN_TIMESTEPS, (samples,), generator=generator, device=generator.device)


def add_noise(clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """Latents (b, ...) at `timesteps` (b,), in the dtype of `clean`."""
    signal, sigma = _mix(clean, timesteps)
    return (signal * clean + sigma * noise).to(clean.dtype)


def velocity(clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """v, what the UNet is to predict, (b, ...) in the dtype of `clean`."""
    signal, sigma = _mix(clean, timesteps)
    return (signal * noise - sigma * clean).to(clean.dtype)


def min_snr_weight(timesteps: Tensor, gamma: float = SNR_GAMMA) -> Tensor:
    """(b,) float32: min(SNR + 1, gamma) / (SNR + 1); small for early timesteps, 1 from about t = 250 on."""
    bars = alpha_bars().to(timesteps.device)[timesteps]
    snr = bars / (1.0 - bars)
    return (snr + 1.0).clamp(max=gamma) / (snr + 1.0)


def _mix(like: Tensor, timesteps: Tensor) -> tuple[Tensor, Tensor]:
    """Factors of signal and of noise, at least float32, (b, 1, ...) to fit `like`."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    bars = alpha_bars().to(like.device, dtype)[timesteps].view(-1, *[1] * (like.ndim - 1))
    return bars.sqrt(), (1.0 - bars).sqrt()
