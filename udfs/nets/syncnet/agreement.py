"""How well lips and sound agree, and at which offset: LSE-D and LSE-C of one clip (metrics.md §1.3)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FPS = 25
SHIFT_FRAMES = 15
"""Largest offset looked at, to both sides."""

_EPSILON = np.float32(1e-6)
_FRAMEWISE_MEDIAN = 9


class Agreement(NamedTuple):
    """`offset_frames` > 0: the sound that fits lies earlier than the picture, by 1/25 s each. `distance` (LSE-D, Sync-D) is the lower the
    better, `confidence` (LSE-C, Sync-C) the higher."""

    offset_frames: int
    distance: float
    confidence: float


def distance_table(lips: NDArray[np.float32], sound: NDArray[np.float32], shift: int = SHIFT_FRAMES) -> NDArray[np.float32]:
    """(n, d) and (n, d) embeddings -> (n, 2 shift + 1): window i of the lips from window i + j - shift of the sound, Euclidean.

    Beyond its ends the sound is zeros, which count; 1e-6 is added to every difference. Both as upstream.
    """
    if lips.shape != sound.shape:
        raise ValueError(f"as many embeddings of lips as of sound are needed, not {lips.shape} and {sound.shape}")
    padded = np.pad(sound, ((shift, shift), (0, 0)))
    columns = [np.linalg.norm(lips - padded[column : column + len(lips)] + _EPSILON, axis=1) for column in range(2 * shift + 1)]
    return np.stack(columns, axis=1)


def agreement(table: NDArray[np.float32]) -> Agreement:
    """Distance = least mean over windows, confidence = median of the means minus that, offset = `shift` minus its column."""
    means = table.mean(0, dtype=np.float64)
    best = int(means.argmin())
    least = float(means[best])
    return Agreement(table.shape[1] // 2 - best, least, float(np.median(means)) - least)


def framewise_confidence(table: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n,): median of the mean distances minus each window's own at the best offset, smoothed by a median over 9, padded with zeros."""
    means = table.mean(0, dtype=np.float64)
    raw = np.pad(np.median(means) - table[:, means.argmin()], _FRAMEWISE_MEDIAN // 2)
    return np.median(np.lib.stride_tricks.sliding_window_view(raw, _FRAMEWISE_MEDIAN), axis=1)
