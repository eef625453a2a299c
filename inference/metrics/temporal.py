"""Temporal LPIPS: how much a video changes from frame to frame (metrics.md §5)."""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item")


def consecutive(measure: Callable[[Item, Item], float], frames: Iterable[Item]) -> NDArray[np.float64]:
    """(T - 1,): `measure`, LPIPS, of each frame and the next. Takes frames, or what was made of each, as a stream.

    Their mean is temporal LPIPS: lower is smoother and a still picture has 0, so read it beside the real video's.
    """
    return np.array([measure(one, following) for one, following in pairwise(frames)], np.float64)


def flicker_gap(generated: NDArray[np.float64], real: NDArray[np.float64]) -> float:
    """TecoGAN's tLP: mean |generated - real| over the values of `consecutive` of both videos (Chu et al. 2020); 0 when they change alike."""
    if generated.shape != real.shape or generated.size == 0:
        raise ValueError(f"two videos of one length, two frames at least, are needed, not {generated.shape} and {real.shape} steps")
    return float(np.abs(generated - real).mean())
