"""Scorer `cotracker`: how many points of the picture stay in sight, by CoTracker3 (talkvid.md §3)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from udfs import weights
from udfs.cotracker_frames import RELEASED_FPS_MAX, paper_windows, released_segments
from udfs.fingerprint import LATER, NO_RESULT, only_with
from udfs.recent import RecentPlans
from udfs.scorer import RGB, Clip, Device, Outcome, Reduced

if TYPE_CHECKING:
    from udfs.nets.cotracker3.network import CoTracker3

QUARTER = 0.25
PAPER_SIDE_PX = 512


@dataclass(frozen=True)
class CoTrackerConfig:
    """`points_per_side` of the grid, `frames_per_s` and `segment_s`, in seconds, as released: 10,000 points in up to three segments of six
    seconds, of which about two frames a second are looked at.

    `antialias`: resize to a quarter as the released script's torchvision does. `points_at_once` bounds memory, not the result; None suits the device.
    `paper_windows`: how many of the paper's windows to look at for `paper_ratio` and `mean_displacement_px`; with 0 both are None.
    `paper_longest`: what of them is tracked is at most so many times as long as it is wide; of a longer strip the middle. It bounds memory.
    """

    points_per_side: int = 100
    segment_s: float = 6.0
    antialias: bool = True
    points_at_once: int | None = field(default=None, metadata=NO_RESULT)
    paper_windows: int = 0
    frames_per_s: float = field(default=2.0, metadata=LATER)
    paper_longest: int = field(default=4, metadata=only_with("paper_windows"))


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is kept of a frame: a quarter of its size for the released ratio, 512 px on the shorter side for the paper's, where asked for."""

    quarter: RGB | None
    paper: RGB | None


@dataclass(frozen=True)
class FramePlan:
    """Frame numbers of each released segment and of each of the paper's windows."""

    segments: list[list[int]]
    windows: list[list[int]]


class CoTracker:
    """The released ratio (minimum over segments), without the script's second pass, which changes nothing; the paper's measures if asked for.

    The paper does not say how windows make up a clip: here its ratio is the minimum over windows, like the released one, the displacement their mean.
    """

    name = "cotracker"
    version = 1
    needs: frozenset[str] = frozenset()
    weights: tuple[str, ...] = ("cotracker3_offline",)

    def __init__(self, config: CoTrackerConfig = CoTrackerConfig()) -> None:
        self.config = config
        self._plans = RecentPlans[FramePlan]()
        self._network: CoTracker3 | None = None

    def runs_on(self, device: Device) -> Device:
        """The device, in either dtype."""
        return device

    def setup(self, device: Device) -> None:
        """Load the network. Raises `MissingError` when its weights are not there, `VerificationError` when they are others."""
        path = weights.path(self.weights[0])
        from udfs.nets.cotracker3.session import network_on

        self._network = network_on(path, device)
        self._network.points_at_once = self.config.points_at_once

    def plan(self, clip: Clip, pts: Sequence[float]) -> list[int]:
        """About `frames_per_s` of each segment, and those of the paper's windows."""
        segments = released_segments(pts, clip.fps or RELEASED_FPS_MAX, clip.end_s - clip.start_s, self.config.segment_s, self.config.frames_per_s)
        found = FramePlan(segments, paper_windows(pts, self.config.paper_windows))
        self._plans.keep(clip, found)
        return sorted({index for indices in found.segments + found.windows for index in indices})

    def reduce(self, clip: Clip, frame: RGB, index: int) -> Sizes:
        """A sixteenth of the pixels, and for the paper's windows 1.4 MB of a frame of 16:9."""
        from udfs.nets.cotracker3.sizes import quarter, short_side

        found = self._plans.of(clip)
        return Sizes(
            quarter(frame, antialias=self.config.antialias) if _within(index, found.segments) else None,
            short_side(frame, PAPER_SIDE_PX, self.config.paper_longest) if _within(index, found.windows) else None,
        )

    def score(self, clips: list[Reduced]) -> list[Outcome]:
        """Values of `schemas.scores.COTRACKER`, one dict per clip."""
        return [self._one(clip) for clip in clips]

    def _one(self, clip: Reduced) -> Outcome:
        from udfs.nets.cotracker3.camera import paper_motion, visible_ratio

        assert self._network is not None
        kept: dict[int, Sizes] = dict(zip(clip.indices, clip.frames, strict=True))
        plan = self._plans.of(clip.clip)
        segments = [np.stack([kept[index].quarter for index in indices]) for indices in plan.segments]
        ratios = [visible_ratio(self._network, frames, self.config.points_per_side) for frames in segments]
        motions = [paper_motion(self._network, _stacked(kept, indices)) for indices in plan.windows]
        displacements = [motion.mean_displacement_px for motion in motions if motion.mean_displacement_px is not None]
        return {
            "cotracker_ratio": min(ratios, default=None),
            "paper_ratio": min((motion.ratio for motion in motions), default=None),
            "mean_displacement_px": float(np.mean(displacements)) if displacements else None,
        }


def _within(index: int, groups: list[list[int]]) -> bool:
    return any(index in group for group in groups)


def _stacked(kept: dict[int, Sizes], indices: list[int]) -> NDArray[np.uint8]:
    return np.stack([kept[index].paper for index in indices])
