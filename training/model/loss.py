"""The training loss (vexpress.md §11.1, step 6)."""

from typing import NamedTuple

import torch
from torch import Tensor

from training.model.noise_schedule import SNR_GAMMA, min_snr_weight


class Loss(NamedTuple):
    """`total` is what is minimised; `per_sample` (b,) is before the weight of its timestep."""

    total: Tensor
    per_sample: Tensor


def v_loss(prediction: Tensor, target: Tensor, timesteps: Tensor, lip_mask: Tensor, lip_weight: float, gamma: float = SNR_GAMMA) -> Loss:
    """Squared error of v (b, 4, f, h, w), in at least float32, mouths counted `lip_weight` times, averaged with min-SNR weights.

    `lip_mask` (b, 1, f, h, w) in 0..1. The mask's weight is not renormalised: a bigger mouth makes a bigger loss.
    """
    dtype = torch.promote_types(prediction.dtype, torch.float32)
    error = (prediction.to(dtype) - target.to(dtype)) ** 2
    per_sample = (error * (1.0 + (lip_weight - 1.0) * lip_mask.to(dtype))).flatten(1).mean(1)
    return Loss((per_sample * min_snr_weight(timesteps, gamma)).mean(), per_sample)
