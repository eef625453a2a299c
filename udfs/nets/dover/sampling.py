"""Which frames DOVER looks at, and which pieces of them (dover.md §1.1 and §1.2)."""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CELLS = 7
"""Fragments per side of a mosaic."""
PATCH_PX = 32
VIEW_PX = CELLS * PATCH_PX


@dataclass(frozen=True)
class TemporalPlan:
    """`segments` equal spans of a video, `length` frames of each, every `stride`-th frame from a random start."""

    length: int
    segments: int
    stride: int

    def starts_below(self, frames: int) -> int:
        """Exclusive bound of the random start within a segment; 1 when it can only be 0."""
        return max(1, frames // self.segments - self.length * self.stride)

    def indices(self, frames: int, starts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Frame numbers, segment after segment, wrapping around a video that is too short; `starts` has one entry per segment."""
        if frames < 1:
            raise ValueError("a video without frames has no views")
        pitch = frames // self.segments
        first = np.arange(self.segments) * pitch + starts
        return ((first[:, None] + np.arange(self.length) * self.stride) % frames).ravel()


TECHNICAL = TemporalPlan(length=32, segments=3, stride=2)
AESTHETIC = TemporalPlan(length=1, segments=32, stride=2)


@dataclass(frozen=True)
class Sampling:
    """The random choices of one video, made. `technical` (96) and `aesthetic` (32) are frame numbers.

    `rows` and `columns` (technical segments, 7, 7) move each fragment down and right within its cell, in px; all frames of a segment alike.
    """

    technical: NDArray[np.int64]
    aesthetic: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]


def sample(seed: str, frames: int, height_px: int, width_px: int) -> Sampling:
    """The choices for a video, the same for the same `seed` (the original draws anew at every run)."""
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(seed.encode())))
    technical, aesthetic = (plan.indices(frames, generator.integers(plan.starts_below(frames), size=plan.segments)) for plan in (TECHNICAL, AESTHETIC))
    rows, columns = (generator.integers(cell_slack_px(side), size=(TECHNICAL.segments, CELLS, CELLS)) for side in (height_px, width_px))
    return Sampling(technical, aesthetic, rows, columns)


def cell_slack_px(side_px: int) -> int:
    """Exclusive bound of a fragment's random move within its cell, on a side of the frame; 1 when it can only be 0."""
    return max(1, side_px // CELLS - PATCH_PX)
