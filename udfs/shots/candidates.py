"""Where a gradual transition may be: frames around which the colours of the picture change for good (weights.md, "Shot cuts").

The content score sees hard cuts but few fades, dissolves and wipes; a colour histogram sees those too.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

NEAR_S, FAR_S = 0.4, 0.8
"""Frames between so long before and so long after a moment are compared."""

THRESHOLD = 0.55
APART_S = 1.0
"""A candidate is the highest distance within this time on both sides."""

COLOURS = 512


class ColourChange:
    """Finds the moments at which the mean colour histograms before and after differ most. Fed frame by frame."""

    def __init__(self, rate: float) -> None:
        """`rate`: frames a second."""
        self._near = round(NEAR_S * rate)
        self._far = max(self._near + 1, round(FAR_S * rate))
        self._apart = max(1, round(APART_S * rate))
        self._histograms: deque[NDArray[np.float64]] = deque(maxlen=2 * self._far + 1)
        self._before = np.zeros(COLOURS)
        self._after = np.zeros(COLOURS)
        self._distances: deque[float] = deque([0.0] * (2 * self._apart + 1), maxlen=2 * self._apart + 1)
        self._count = 0

    @property
    def reach(self) -> int:
        """Frames on each side that a moment's distance depends on."""
        return self._far

    @property
    def delay(self) -> int:
        """How many frames after its moment a candidate is told."""
        return self._far - 1 + self._apart

    def feed(self, frame: NDArray[np.uint8]) -> list[int]:
        """Candidates that became known with this frame: numbers of frames counted from 0."""
        self._slide(colour_histogram(frame))
        self._count += 1
        complete = self._count >= 2 * self._far
        return self._known(float(np.linalg.norm(self._after - self._before)) / (self._far - self._near) if complete else 0.0)

    def finish(self) -> list[int]:
        """Candidates that became known with the end of the video."""
        found = []
        for _ in range(self._apart):
            self._count += 1
            found += self._known(0.0)
        return found

    def _slide(self, histogram: NDArray[np.float64]) -> None:
        """Move both running sums on by a frame: they hold [-far, -near) and [near, far) around the moment `far` - 1 frames ago."""
        past = self._histograms
        past.append(histogram)
        self._after += histogram
        if len(past) > self._far - self._near:
            self._after -= past[-1 - (self._far - self._near)]
        if len(past) > self._far + self._near:
            self._before += past[-1 - (self._far + self._near)]
        if len(past) > 2 * self._far:
            self._before -= past[0]

    def _known(self, distance: float) -> list[int]:
        self._distances.append(distance)
        middle = self._distances[self._apart]
        earlier_peak = any(self._distances[i] >= middle for i in range(self._apart))
        if middle <= THRESHOLD or earlier_peak or middle < max(self._distances):
            return []
        return [self._count - 1 - self.delay]


def colour_histogram(frame: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Square roots of the shares of 512 colours (8 levels a channel) in a frame (height, width, 3)."""
    levels = (frame >> 5).astype(np.intp)
    colours = levels[..., 0] * 64 + levels[..., 1] * 8 + levels[..., 2]
    return np.sqrt(np.bincount(colours.ravel(), minlength=COLOURS) / colours.size)
