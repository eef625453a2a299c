"""Which frames a scorer looks at, chosen by their timestamps (variable frame rates!), never by counting."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence


def nearest(pts: Sequence[float], time_s: float) -> int:
    """Index of the frame whose time is nearest to `time_s`; the earlier one of two equally near. `pts` ascend, in seconds, and are not empty."""
    after = bisect_left(pts, time_s)
    if after == 0:
        return 0
    if after == len(pts):
        return len(pts) - 1
    return after if pts[after] - time_s < time_s - pts[after - 1] else after - 1


def nearest_each(pts: Sequence[float], times_s: Iterable[float]) -> list[int]:
    """Ascending indices of the frames nearest to each time, each named once; none when there are no frames."""
    return sorted({nearest(pts, time_s) for time_s in times_s}) if pts else []


def middles(duration_s: float, rate: float, most: int) -> list[float]:
    """Times in the middle of equal parts of a clip, `rate` parts a second, at least one and at most `most`."""
    parts = max(1, min(most, round(duration_s * rate)))
    return [(part + 0.5) * duration_s / parts for part in range(parts)]
