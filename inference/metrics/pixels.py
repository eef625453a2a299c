"""L1 and PSNR of one frame against another, and how frames make up a video."""

from collections.abc import Callable, Iterable

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


def each_frame(measure: Callable[[Frame, Frame], float], generated: Iterable[Frame], real: Iterable[Frame]) -> NDArray[np.float64]:
    """`measure` of each pair of frames, in order; a video's value is their mean (for PSNR the mean of dB values, not the dB of the mean).

    Takes streams: two frames are held at a time. Raises `ValueError` when one has more frames than the other, or another size.
    """
    return np.array([measure(one, other) for one, other in zip(generated, real, strict=True)], np.float64)


def _difference(one: Frame, other: Frame) -> NDArray[np.float64]:
    if one.shape != other.shape:
        raise ValueError(f"frames of {one.shape} and {other.shape} cannot be compared")
    return one.astype(np.float64) - other.astype(np.float64)
