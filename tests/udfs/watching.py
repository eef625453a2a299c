"""How tests show pictures to a scorer without a video file: what the driver does, frame by frame."""

from collections.abc import Sequence
from typing import Any

from udfs.scorer import RGB, Clip, Device, Reduced, Scorer


def clip_of(frames: Sequence[RGB], times_s: Sequence[float], end_s: float) -> Clip:
    """A clip that begins at 0 and has these frames."""
    height, width = frames[0].shape[:2]
    return Clip("clip", "video", "file", 0.0, end_s, width, height, len(frames) / end_s, False)


def watch(scorer: Scorer, frames: Sequence[RGB], fps: float = 25.0, *, times_s: Sequence[float] | None = None) -> dict[str, Any]:
    """The scorer's values for a clip of these frames, set up on one CPU thread. With `times_s` the frame rate is variable."""
    scorer.setup(Device())
    times = list(times_s) if times_s is not None else [index / fps for index in range(len(frames))]
    clip = clip_of(frames, times, times[-1] + 1 / fps)
    view = Reduced(clip)
    for index in scorer.plan(clip, times):
        view.indices.append(index)
        view.times_s.append(times[index])
        view.frames.append(scorer.reduce(clip, frames[index], index))
    outcome = scorer.score([view])[0]
    assert isinstance(outcome, dict)
    return outcome
