"""What separates shots, and the shots that are left between."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, order=True, slots=True)
class Transition:
    """Frames [start_frame, end_frame) that belong to no shot; a hard cut has none and stands before `start_frame`."""

    start_frame: int
    end_frame: int
    kind: Literal["cut", "gradual"]

    @classmethod
    def cut(cls, frame: int) -> "Transition":
        """A hard cut whose new shot begins at `frame`."""
        return cls(frame, frame, "cut")


@dataclass(frozen=True, slots=True)
class Shot:
    """Frames [start_frame, end_frame) without a transition, the `index`-th of its video, counted from 0."""

    index: int
    start_frame: int
    end_frame: int


def shots_between(transitions: Sequence[Transition], frames: int) -> list[Shot]:
    """The shots of a video of `frames` frames; without a transition it is one shot. Empty ones are left out."""
    shots: list[Shot] = []
    start = 0
    for transition in sorted(transitions):
        if transition.start_frame > start:
            shots.append(Shot(len(shots), start, transition.start_frame))
        start = max(start, transition.end_frame)
    if start < frames:
        shots.append(Shot(len(shots), start, frames))
    return shots
