"""What the network said of a video's frames, and the transitions that follow from it."""

import numpy as np
from numpy.typing import NDArray

from udfs.shots.transitions import Transition
from udfs.shots.windows import Window

EDGE = 0.05
"""A transition that was found reaches as far as its frames are over this; its ends are faint."""

EDGE_MARGIN = 2
"""Frames added at both ends of a gradual transition."""


class Probabilities:
    """Per frame, 0 where the network was not asked: `single`, it is the last before a cut; `every`, it belongs to a transition."""

    def __init__(self, frames: int, longest_cut: int) -> None:
        """`longest_cut`: with at most so many frames over the threshold in the second head, and one in the first, it is a hard cut."""
        self._longest_cut = longest_cut
        self.single = np.zeros(frames, np.float32)
        self.every = np.zeros(frames, np.float32)
        self.asked = np.zeros(frames, np.bool_)

    def note(self, window: Window, single: NDArray[np.float32], every: NDArray[np.float32]) -> None:
        """Take over a window's predictions, without its margins; where windows overlap the higher one counts.

        A window that leaves frames out cannot tell before which frame a cut is, so it says nothing of `single`.
        """
        for place in range(window.margin, window.length - window.margin):
            first = window.start + place * window.stride
            inside = slice(max(first, 0), max(first + window.stride, 0))
            if window.stride == 1:
                self.single[inside] = np.maximum(self.single[inside], single[place])
            self.every[inside] = np.maximum(self.every[inside], every[place])
            self.asked[inside] = True

    def transitions(self, threshold: float, start: int = 0, end: int | None = None) -> list[Transition]:
        """Transitions in frames [start, end): runs of frames over `EDGE` in which a head is over the threshold.

        A cut stands after the frame that the first head finds most probable; a gradual transition takes the whole run.
        """
        single, every = self.single[start:end], self.every[start:end]
        found = []
        for first, after in runs((every > min(EDGE, threshold)) | (single > threshold)):
            frames_over = int((every[first:after] > threshold).sum())
            cuts = bool((single[first:after] > threshold).any())
            if cuts and frames_over <= self._longest_cut:
                found.append(Transition.cut(start + first + int(single[first:after].argmax()) + 1))
            elif cuts or frames_over:
                found.append(Transition(max(0, start + first - EDGE_MARGIN), start + after + EDGE_MARGIN, "gradual"))
        return [transition for transition in joined(found) if transition.start_frame < len(self.single)]


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """[first, after) of each run of true values."""
    borders = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False]))))
    return [(int(first), int(after)) for first, after in borders.reshape(-1, 2)]


def joined(transitions: list[Transition]) -> list[Transition]:
    """Ascending transitions, gradual ones that overlap made one; a cut inside a gradual one is part of it."""
    result: list[Transition] = []
    for transition in transitions:
        last = result[-1] if result else None
        if last and (transition.start_frame < last.end_frame or transition.start_frame <= last.start_frame < transition.end_frame):
            result.pop()
            transition = Transition(min(last.start_frame, transition.start_frame), max(last.end_frame, transition.end_frame), "gradual")
        result.append(transition)
    return result
