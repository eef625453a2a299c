"""Structural similarity of two frames."""

import numpy as np
from numpy.typing import NDArray

from inference.metrics.pixels import PEAK, Frame

VARIANT = "Wang 2004: 11x11 Gaussian of sigma 1.5, population covariance, RGB, valid region only"
"""What a report calls it; other variants of the same pair give 0.34 to 0.69 (metrics.md §5)."""

_SIDE, _SIGMA = 11, 1.5
_C1, _C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2


def ssim(one: Frame, other: Frame) -> float:
    """-1..1, 1 for equal frames: mean over the map, then channels (Wang et al. 2004; metrics.md §5, `VARIANT`).

    Raises `ValueError` for frames of two sizes, or smaller than 11 px.
    """
    if one.shape != other.shape:
        raise ValueError(f"frames of {one.shape} and {other.shape} cannot be compared")
    if min(one.shape[:2]) < _SIDE:
        raise ValueError(f"a frame of {one.shape[1]}x{one.shape[0]} px is smaller than SSIM's window of {_SIDE} px")
    a, b = one.astype(np.float64), other.astype(np.float64)
    mean_a, mean_b = _smoothed(a), _smoothed(b)
    variance_a, variance_b = _smoothed(a * a) - mean_a**2, _smoothed(b * b) - mean_b**2
    covariance = _smoothed(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    structure = (2 * covariance + _C2) / (variance_a + variance_b + _C2)
    return float((luminance * structure).mean())


def _smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian mean around each pixel whose window lies in the picture."""
    import cv2

    kernel, rim = cv2.getGaussianKernel(_SIDE, _SIGMA, cv2.CV_64F), _SIDE // 2
    return cv2.sepFilter2D(values, cv2.CV_64F, kernel, kernel)[rim:-rim, rim:-rim]
