"""L1 and PSNR of one frame against another; a video's value is the mean over its frames (for PSNR of dB values)."""

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
"""(height, width, 3), 8 bit, RGB."""

PEAK = 255.0


def l1(one: Frame, other: Frame) -> float:
    """Mean absolute difference over all pixels and channels, 0..1 (metrics.md §5)."""
    return float(np.abs(_difference(one, other)).mean() / PEAK)


def psnr(one: Frame, other: Frame) -> float:
    """Peak signal-to-noise ratio in dB: 10 log10(255² / MSE) over all pixels and channels, infinite for equal frames (metrics.md §5)."""
    error = float(np.square(_difference(one, other)).mean())
    return float("inf") if error == 0 else 10 * float(np.log10(PEAK**2 / error))


def _difference(one: Frame, other: Frame) -> NDArray[np.float64]:
    if one.shape != other.shape:
        raise ValueError(f"frames of {one.shape} and {other.shape} cannot be compared")
    return one.astype(np.float64) - other.astype(np.float64)
