"""Intervals around a metric: the percentile bootstrap (Efron 1979)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
LEVEL = 0.95
_AT_ONCE = 1 << 22
"""Drawn values held in memory at a time."""


@dataclass(frozen=True)
class Interval:
    """A metric's value over `n` items and the bounds of its interval; without bounds where there is only one item."""

    value: float
    low: float | None
    high: float | None
    n: int


def mean_interval(values: NDArray[np.floating], *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0) -> Interval:
    """Of the mean over items drawn independently: clips or videos, never frames of one video. Infinite values (PSNR of equal frames) are taken.

    Raises `ValueError` when there are none, or one is NaN.
    """
    items = np.asarray(values, np.float64)
    if items.ndim != 1 or items.size == 0 or np.isnan(items).any():
        raise ValueError(f"values of one item each, at least one and none NaN, are needed, not {items.size}")
    random, rows = np.random.default_rng(seed), max(1, _AT_ONCE // items.size)
    parts = [min(rows, resamples - first) for first in range(0, resamples, rows)]
    drawn = [items[random.integers(items.size, size=(part, items.size))].mean(1) for part in parts]
    return _interval(float(items.mean()), np.concatenate(drawn), items.size, level)


def set_interval(
    statistic: Callable[[NDArray[np.int64]], float], n: int, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0, centred: bool = False
) -> Interval:
    """Of a number that only a set has, FID and FVD: `statistic` takes the indices, of `n` items, that make up the set; draws that are NaN do not count.

    Drawing with repeats makes a set poorer, which moves Fréchet distances upwards, so its value may lie at the interval's low end or below it.
    `centred` takes that away: the drawn numbers are moved so that their mean is the value, none below 0; the interval is then how much the
    value of a set of this size varies, not where that of a larger set would lie.
    """
    if n < 1:
        raise ValueError("a set without items has no value")
    random = np.random.default_rng(seed)
    value = statistic(np.arange(n))
    drawn = np.array([statistic(random.integers(n, size=n)) for _ in range(resamples if n > 1 else 0)])
    drawn = drawn[~np.isnan(drawn)]
    if centred and drawn.size:
        drawn = np.maximum(drawn - drawn.mean() + value, 0)
    return _interval(value, drawn, n, level)


def _interval(value: float, drawn: NDArray[np.float64], n: int, level: float) -> Interval:
    """Bounds are values that were drawn, not between two of them, so that infinite ones stay numbers."""
    if n == 1 or drawn.size == 0:
        return Interval(value, None, None, n)
    low, high = np.quantile(drawn, ((1 - level) / 2, (1 + level) / 2), method="inverted_cdf")
    return Interval(value, float(low), float(high), n)
