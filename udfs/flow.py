"""Scorer `flow`: how points move between nearby frames, by pyramidal Lucas–Kanade. Needs no weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from udfs.luma import Luma, at_480_lines, luma
from udfs.point_tracks import PIXELS_CHANGED_AT_LEAST, changed_share, track
from udfs.sampling import middles, nearest
from udfs.scorer import RGB, Clip, Device, Outcome, Reduced

FRAME_S = 1 / 25
"""Displacements are given per this time, in seconds."""


@dataclass(frozen=True)
class FlowConfig:
    """Groups of three frames, `gap_s` apart, `groups_per_s` of them but at most `groups_max` a clip.

    0.08 s steps over the doubled frames of a converted frame rate; a step longer than `gap_max_s` (a lower frame rate
    than that) is not measured, since nothing can be followed across it.
    """

    gap_s: float = 0.08
    gap_max_s: float = 0.25
    groups_per_s: float = 2.0
    groups_max: int = 20


@dataclass(frozen=True, slots=True)
class Step:
    """From one frame to the next looked at: displacements of the points that could be followed, (n, 2) in pixels per 1/25 s.

    `points` were tried; `frozen` when the picture did not change.
    """

    start: int
    end: int
    points: int
    motion: NDArray[np.float32]
    frozen: bool


class Flow:
    """Survival, displacement, shake and freeze over short groups of frames, at 480 lines.

    `survival` pools the points of all steps, `mean_px` and `p95_px` those followed. `shake` is the mean, over the inner
    frames of the groups, of the length of the change of the global motion (the median displacement); so a steady pan has
    none. A value is None where nothing could be measured: no texture, no step.
    """

    name = "flow"
    version = 1
    needs: frozenset[str] = frozenset()
    weights: tuple[str, ...] = ()

    def __init__(self, config: FlowConfig = FlowConfig()) -> None:
        self.config = config

    def runs_on(self, device: Device) -> Device:
        """Always the CPU."""
        return device.as_cpu()

    def setup(self, device: Device) -> None:
        """Give OpenCV as many threads as the device allows."""
        import cv2

        cv2.setNumThreads(device.threads)

    def plan(self, clip: Clip, pts: Sequence[float]) -> list[int]:
        """The frames of all groups."""
        return sorted({index for group in self._groups(clip, pts) for index in group})

    def reduce(self, clip: Clip, frame: RGB, index: int) -> Luma:
        """Luma at 480 lines: at most 0.6 MB a frame."""
        return at_480_lines(luma(frame))

    def score(self, clips: list[Reduced]) -> list[Outcome]:
        """Values of `schemas.scores.FLOW`, one dict per clip."""
        return [self._one(clip) for clip in clips]

    def _groups(self, clip: Clip, pts: Sequence[float]) -> list[list[int]]:
        """Of each group the frames, ascending: one near its centre, and those `gap_s` before and after, or the neighbours if these are farther."""
        if not pts:
            return []
        groups = []
        for centre_s in middles(clip.end_s - clip.start_s, self.config.groups_per_s, self.config.groups_max):
            centre = nearest(pts, centre_s)
            before = min(centre - 1, nearest(pts, pts[centre] - self.config.gap_s))
            after = max(centre + 1, nearest(pts, pts[centre] + self.config.gap_s))
            groups.append([index for index in (before, centre, after) if 0 <= index < len(pts)])
        return groups

    def _one(self, clip: Reduced) -> Outcome:
        frames = dict(zip(clip.indices, zip(clip.times_s, clip.frames, strict=True), strict=True))
        pairs: set[tuple[int, int]] = set()
        for group in self._groups(clip.clip, clip.times_s):
            pairs |= set(pairwise(clip.indices[position] for position in group))
        steps = [self._step(first, second, frames) for first, second in sorted(pairs) if self._near(first, second, frames)]
        return _measures(steps)

    def _near(self, first: int, second: int, frames: dict[int, tuple[float, Luma]]) -> bool:
        return 0 < frames[second][0] - frames[first][0] <= self.config.gap_max_s

    def _step(self, first: int, second: int, frames: dict[int, tuple[float, Luma]]) -> Step:
        (start_s, before), (end_s, after) = frames[first], frames[second]
        frozen = changed_share(before, after) < PIXELS_CHANGED_AT_LEAST
        points, followed = track(before, after)
        return Step(first, second, points, followed * (FRAME_S / (end_s - start_s)), frozen)


def _measures(steps: list[Step]) -> dict[str, float | None]:
    tried = sum(step.points for step in steps)
    moved = [np.linalg.norm(step.motion, axis=1) for step in steps]
    lengths = np.concatenate(moved) if moved else np.zeros(0, np.float32)
    glob = {step.start: (step.end, np.median(step.motion, axis=0)) for step in steps if len(step.motion)}
    turns = [np.linalg.norm(glob[end][1] - motion) for end, motion in glob.values() if end in glob]
    return {
        "survival": len(lengths) / tried if tried else None,
        "mean_px": float(lengths.mean(dtype=np.float64)) if len(lengths) else None,
        "p95_px": float(np.percentile(lengths, 95)) if len(lengths) else None,
        "shake": float(np.mean(turns)) if turns else None,
        "frozen": sum(step.frozen for step in steps) / len(steps) if steps else None,
    }
