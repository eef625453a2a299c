"""PySceneDetect's detectors, fed frame by frame: no second reader of the video."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from udfs.shots.transitions import Transition

if TYPE_CHECKING:
    from scenedetect.detector import SceneDetector

THRESHOLDS = {"content": 27.0, "adaptive": 3.0, "histogram": 0.085}
"""Their usual thresholds: the library's own, and for `histogram` that of the scripts replaced (talkvid.md §1.2)."""

HISTOGRAM_BINS = 256
CANDIDATE_THRESHOLD = 20.0
NOMINAL_RATE = 25.0
"""The detectors used here count frames; they only want to be told some frame rate."""


def make_detector(kind: str, threshold: float) -> "SceneDetector":
    """`content`, `adaptive` or `histogram` with this threshold and otherwise the library's defaults."""
    from scenedetect.detectors import AdaptiveDetector, ContentDetector, HistogramDetector

    if kind == "content":
        return ContentDetector(threshold=threshold)
    if kind == "adaptive":
        return AdaptiveDetector(adaptive_threshold=threshold)
    if kind == "histogram":
        return HistogramDetector(threshold=threshold, bins=HISTOGRAM_BINS)
    raise ValueError(f"no such detector: {kind}")


def candidate_detector() -> "SceneDetector":
    """Content score over 20 with no least shot length: more than all hard cuts (weights.md)."""
    from scenedetect.detectors import ContentDetector

    return ContentDetector(threshold=CANDIDATE_THRESHOLD, min_scene_len=1)


class Cuts:
    """Feeds a detector and gathers its cuts. Frames are 8-bit BGR (height, width, 3)."""

    def __init__(self, detector: "SceneDetector") -> None:
        self._detector = detector
        self._count = 0

    def feed(self, frame: NDArray[np.uint8]) -> list[int]:
        """Numbers of the first frames of new shots that became known with this frame."""
        from scenedetect import FrameTimecode

        self._count += 1
        return _numbers(self._detector.process_frame(FrameTimecode(self._count - 1, NOMINAL_RATE), frame))

    def finish(self) -> list[int]:
        """Those that became known with the end of the video."""
        from scenedetect import FrameTimecode

        return _numbers(self._detector.post_process(FrameTimecode(self._count, NOMINAL_RATE)))


class ContentShots:
    """Hard cuts as a PySceneDetect detector alone sees them."""

    def __init__(self, kind: str, threshold: float) -> None:
        self._cuts = Cuts(make_detector(kind, threshold))
        self._found: list[int] = []

    def feed(self, frame: NDArray[np.uint8]) -> None:
        """The next frame, BGR."""
        self._found += self._cuts.feed(frame)

    def finish(self) -> list[Transition]:
        """All cuts, ascending, once the last frame was fed."""
        self._found += self._cuts.finish()
        return [Transition.cut(frame) for frame in sorted(set(self._found)) if frame > 0]


def _numbers(timecodes: list) -> list[int]:
    return [int(timecode.frame_num) for timecode in timecodes]
