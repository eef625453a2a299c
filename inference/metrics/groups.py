"""From the values of single videos to those of a group, with an interval over its videos."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.metrics.bootstrap import Interval, mean_interval, set_interval
from inference.metrics.frechet import Moments, frechet_distance
from inference.metrics.gauges import Features, Value

LEAST_RESAMPLES, _CHEAP = 20, 256
"""A Fréchet distance of m by m costs m³, so that beyond 256 fewer sets are drawn, at least 20: that is a rough interval."""


@dataclass(frozen=True)
class Group:
    """A metric of a group: `n` of its `clips` videos have a value. `resamples` made the interval, 0 where there is none."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    clips: int
    reason: str | None = None
    resamples: int = 0


def of_values(values: Sequence[Value], resamples: int, seed: int = 0) -> Group:
    """The mean over videos; those without a value are left out and counted."""
    found = [value.value for value in values if value.value is not None]
    if not found:
        return Group(None, None, None, 0, len(values), common_reason(values))
    return _group(mean_interval(np.array(found), resamples=resamples, seed=seed), len(values), resamples)


def of_features(items: Sequence[Features], ddof: int, resamples: int, reasons: Sequence[Value] = (), seed: int = 0) -> Group:
    """The Fréchet distance of the generated and the real features of all items. For the interval items are drawn, with both of their sides.

    Without features on both sides there is no value, for the commonest of `reasons`; nor where a covariance needs more of them.
    """
    given = [item for item in items if item]
    sides = {side: [item[side] for item in given if side in item] for side in ("generated", "real")}
    rows = {side: sum(map(len, found)) for side, found in sides.items()}
    if not all(sides.values()):
        lacking = "generated" if not sides["generated"] else "real"
        return Group(None, None, None, 0, len(items), common_reason(reasons) or f"there are no {lacking} videos in the group")
    if min(rows.values()) < 2:
        return Group(None, None, None, len(given), len(items), "one picture or window has no covariance: at least two videos are needed")
    width = sides["real"][0].shape[1]
    count = fewer(resamples, min(width, *rows.values()))

    def distance(chosen: NDArray[np.int64]) -> float:
        parts = [[given[index][side] for index in chosen if side in given[index]] for side in sides]
        if not all(parts) or min(sum(map(len, part)) for part in parts) < 2:
            return float("nan")
        return feature_distance(*(np.concatenate(part) for part in parts), ddof)

    if len(given) == 1:
        return Group(distance(np.arange(1)), None, None, 1, len(items))
    interval = set_interval(distance, len(given), resamples=count, seed=seed, centred=True)
    return _group(interval, len(items), count)


def feature_distance(generated: NDArray[np.floating], real: NDArray[np.floating], ddof: int) -> float:
    """The Fréchet distance of two sets of features (n, d). With fewer rows than values the root's trace is the sum of the singular values of
    the rows' products, which is the same number from a smaller matrix."""
    if min(len(generated), len(real)) >= generated.shape[1]:
        return frechet_distance(Moments.of(generated), Moments.of(real), ddof=ddof)
    one, other = (np.asarray(rows, np.float64) for rows in (generated, real))
    gap = one.mean(0) - other.mean(0)
    one, other = ((rows - rows.mean(0)) / np.sqrt(len(rows) - ddof) for rows in (one, other))
    overlap = np.linalg.svd(one @ other.T, compute_uv=False).sum()
    return max(0.0, float(gap @ gap + np.square(one).sum() + np.square(other).sum() - 2 * overlap))


def fewer(resamples: int, side: int) -> int:
    """How many sets are drawn for a matrix of `side` by `side`."""
    return min(resamples, max(LEAST_RESAMPLES, int(resamples * (_CHEAP / max(side, 1)) ** 3)))


def common_reason(values: Sequence[Value]) -> str | None:
    """The commonest reason why values are missing, and of how many."""
    reasons = Counter(value.reason for value in values if value.reason)
    if not reasons:
        return None
    reason, count = sorted(reasons.items(), key=lambda entry: (-entry[1], entry[0]))[0]
    return reason if count == len(values) else f"{reason} ({count} of {len(values)} videos)"


def _group(interval: Interval, clips: int, resamples: int) -> Group:
    return Group(interval.value, interval.low, interval.high, interval.n, clips, None, resamples if interval.low is not None else 0)
