"""From the values of single videos to those of a group, with an interval over its videos."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inference.metrics.bootstrap import Interval, mean_interval, set_interval
from inference.metrics.frechet import Moments, frechet_distance
from inference.metrics.gauges import Features, Value

LEAST_RESAMPLES, _CHEAP = 20, 256
"""A Fréchet distance of m by m costs m³, so that beyond 256 fewer sets are drawn, at least 20: that is a rough interval."""


@dataclass(frozen=True)
class Group:
    """A metric of a group: `n` of its `clips` videos have a value. `resamples` made the interval, 0 where there is none. `sides`: how many features
    the generated and the real set have, of metrics of sets."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    clips: int
    reason: str | None = None
    resamples: int = 0
    sides: tuple[int, int] | None = None


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
    count = fewer(resamples, min(sides["real"][0].shape[1], *rows.values()))
    whole = {side: np.concatenate(found).astype(np.float64) for side, found in sides.items()}
    owners = {side: np.repeat(np.arange(len(given)), [len(item.get(side, ())) for item in given]) for side in sides}
    value = feature_distance(whole["generated"], whole["real"], ddof)
    if len(given) == 1:
        return Group(value, None, None, 1, len(items), sides=(rows["generated"], rows["real"]))

    def distance(chosen: NDArray[np.int64]) -> float:
        if len(chosen) == len(given) and (chosen == np.arange(len(given))).all():
            return value
        times = np.bincount(chosen, minlength=len(given))
        weights = [times[owners[side]] for side in sides]
        if min(int(found.sum()) for found in weights) < 2:
            return float("nan")
        return _drawn_distance(whole["generated"], weights[0], whole["real"], weights[1], ddof)

    found = _group(set_interval(distance, len(given), resamples=count, seed=seed, centred=True), len(items), count)
    return replace(found, sides=(rows["generated"], rows["real"]))


def feature_distance(generated: NDArray[np.floating], real: NDArray[np.floating], ddof: int) -> float:
    """The Fréchet distance of two sets of features (n, d). With fewer rows than values the root's trace is the sum of the singular values of
    the rows' products, which is the same number from a smaller matrix."""
    if min(len(generated), len(real)) >= generated.shape[1]:
        return frechet_distance(Moments.of(generated), Moments.of(real), ddof=ddof)
    each = (np.ones(len(rows), np.int64) for rows in (generated, real))
    return _drawn_distance(np.asarray(generated, np.float64), next(each), np.asarray(real, np.float64), next(each), ddof)


def _drawn_distance(generated: NDArray[np.float64], times: NDArray[np.int64], real: NDArray[np.float64], real_times: NDArray[np.int64], ddof: int) -> float:
    """The same of sets in which each row stands so many times. Where rows are many, a root by Cholesky of a covariance made regular by 1e-10 of its
    mean variance, for intervals: twice as fast, and off by about 1e-7."""
    (one, mean), (other, real_mean) = (_deviations(rows, counts, ddof) for rows, counts in ((generated, times), (real, real_times)))
    gap, spread = mean - real_mean, np.square(one).sum() + np.square(other).sum()
    if min(len(one), len(other)) < one.shape[1]:
        products = one @ other.T if len(one) <= len(other) else other @ one.T
        squares = np.linalg.eigvalsh(products @ products.T)
    else:
        first, second = one.T @ one, other.T @ other
        root = np.linalg.cholesky(first + np.eye(len(first)) * (1e-10 * max(np.trace(first) / len(first), 1e-300)))
        squares = np.linalg.eigvalsh(root.T @ second @ root)
    return max(0.0, float(gap @ gap + spread - 2 * np.sqrt(np.maximum(squares, 0)).sum()))


def _deviations(rows: NDArray[np.float64], times: NDArray[np.int64], ddof: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows that make the covariance as A'A, each once, and the mean."""
    taken, n = times > 0, int(times.sum())
    mean = times @ rows / n
    return (rows[taken] - mean) * np.sqrt(times[taken] / (n - ddof))[:, None], mean


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
