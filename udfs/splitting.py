"""Shots as clips: neither too short nor too long; a long one is split where it is quietest."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from udfs.speech import STEP_S, Heard

QUIET_WITHIN_S = 0.15
"""The sound this long before and after a border says how quiet it is there."""

ROUNDING_S = 1e-6
"""A clip of exactly the least or most length is not too short or too long for the rounding of frame times."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Limits in seconds; 0 means no limit."""

    least_s: float
    most_s: float

    def too_long(self, length_s: float) -> bool:
        """Whether a clip of this length must be split."""
        return self.most_s > 0 and length_s > self.most_s + ROUNDING_S

    def allow(self, length_s: float) -> bool:
        """Whether a clip of this length is kept."""
        return length_s >= self.least_s - ROUNDING_S and not self.too_long(length_s)


def split(borders_s: NDArray[np.float64], start: int, end: int, lengths: Lengths, heard: Heard | None) -> list[tuple[int, int]]:
    """Frames [start, end) as pieces [first, after) that `lengths` allows; what is too short, or one frame that stands too long, is left out.

    `borders_s[i]` is when frame i begins, the last entry when the last frame ends. Each piece but the last is at least half the
    most length and ends where the sound is quietest (loudness around the border; outside of speech if it can be); without sound
    pieces are about equal.
    """
    pieces = []
    while end - start > 1 and lengths.too_long(borders_s[end] - borders_s[start]):
        middle = _next_border(borders_s, start, end, lengths, heard)
        pieces.append((start, middle))
        start = middle
    pieces.append((start, end))
    return [(first, after) for first, after in pieces if lengths.allow(borders_s[after] - borders_s[first])]


def _next_border(borders_s: NDArray[np.float64], start: int, end: int, lengths: Lengths, heard: Heard | None) -> int:
    """The frame before which the first piece ends: the quietest one of those allowed."""
    begin_s, end_s = borders_s[start], borders_s[end]
    earliest_s = begin_s + max(lengths.most_s / 2, lengths.least_s)
    latest_s = begin_s + lengths.most_s
    # A rest that would be too short is avoided where that is possible.
    if end_s - lengths.least_s >= earliest_s:
        latest_s = min(latest_s, end_s - lengths.least_s)
    first = int(np.searchsorted(borders_s, earliest_s - ROUNDING_S))
    last = int(np.searchsorted(borders_s, latest_s + ROUNDING_S, side="right")) - 1
    allowed = np.arange(max(first, start + 1), min(last, end - 1) + 1)
    if allowed.size == 0:
        # Frames stand so long that none begins in time: the piece is the one frame, or those up to the limit.
        return min(max(last, start + 1), end - 1)
    if heard is None or heard.loudness.size == 0:
        parts = int(np.ceil((end_s - begin_s) / lengths.most_s - ROUNDING_S))
        return int(allowed[np.argmin(np.abs(borders_s[allowed] - (begin_s + (end_s - begin_s) / parts)))])
    return int(allowed[np.argmin(_unrest(borders_s[allowed], heard))])


def _unrest(times_s: NDArray[np.float64], heard: Heard) -> NDArray[np.float64]:
    """How unfit each time is as a border: loudness around it, and 1 (full scale) more for the share of speech."""
    reach = max(1, round(QUIET_WITHIN_S / STEP_S))
    per_step = heard.loudness.astype(np.float64) + (heard.probabilities > 0.5)
    sums = np.concatenate(([0.0], np.cumsum(per_step)))
    step = np.clip((times_s / STEP_S).astype(np.intp), 0, len(per_step) - 1)
    low, high = np.maximum(step - reach, 0), np.minimum(step + reach + 1, len(per_step))
    return (sums[high] - sums[low]) / (high - low)
