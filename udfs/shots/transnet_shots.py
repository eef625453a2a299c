"""Shots as TransNet V2 sees them, asked only around candidates: a tenth of its cost on every frame (weights.md, "Shot cuts")."""

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from udfs.nets.transnet import TransNet
from udfs.shots.candidates import ColourChange
from udfs.shots.content import Cuts, candidate_detector
from udfs.shots.probabilities import Probabilities
from udfs.shots.transitions import Transition
from udfs.shots.windows import RecentFrames, Window

THRESHOLD = 0.5

SHORT, LONG = 48, 100
"""Frames of a window: around one candidate for a hard cut; around many close ones, or a gradual transition."""

GRADUAL_RATE = 12.5
"""Frames a second that a window for a gradual transition takes: 8 s of them, so that a slow fade is seen whole."""

SHORT_MARGIN, LONG_MARGIN = 12, 8
"""Frames at both ends of a window whose predictions are not used: they see too little of what is around."""

BATCH_ON_GPU = 16


class TransnetShots:
    """Finds hard cuts and gradual transitions. Fed with every frame, BGR of the network's size; holds only the last few seconds."""

    def __init__(self, network: Callable[[], TransNet], *, frames: int, rate: float, threshold: float = THRESHOLD, batch: int = 1) -> None:
        """`network` is called when a window first needs it; `frames` and `rate` (1/s) are the video's, `batch` the windows per call."""
        self._network, self._threshold, self._batch = network, threshold, batch
        self._cuts = Cuts(candidate_detector())
        self._colours = ColourChange(rate)
        self._stride = max(1, round(rate / GRADUAL_RATE))
        self._half = LONG // 2 * self._stride
        self._wait = max(self._half, self._colours.reach + LONG)
        self._recent = RecentFrames(max(self._wait, self._colours.delay) + self._half + 1)
        self._probabilities = Probabilities(frames, longest_cut=self._stride + 1)
        self._sharp: deque[int] = deque()
        self._gradual: deque[int] = deque()
        self._ready: list[tuple[Window, NDArray[np.uint8]]] = []

    def feed(self, frame: NDArray[np.uint8]) -> None:
        """The next frame."""
        self._recent.append(frame)
        self._sharp.extend(self._cuts.feed(frame))
        self._gradual.extend(self._colours.feed(frame))
        if self._sharp or self._gradual:
            self._advance(self._recent.count, ended=False)

    def finish(self) -> list[Transition]:
        """All transitions, ascending, once the last frame was fed."""
        self._sharp.extend(self._cuts.finish())
        self._gradual.extend(self._colours.finish())
        self._advance(self._recent.count, ended=True)
        self._ask()
        return self._probabilities.transitions(self._threshold)

    def _advance(self, available: int, ended: bool) -> None:
        """Stack the windows whose frames are all there."""
        while self._sharp:
            window = self._around_sharp()
            if window.end > available and not ended:
                break
            self._stack(window)
            while self._sharp and self._sharp[0] < window.end - SHORT_MARGIN:
                self._sharp.popleft()
        while self._gradual and (ended or available >= self._gradual[0] + self._wait):
            self._look_at_gradual(self._gradual.popleft())

    def _around_sharp(self) -> Window:
        """A window around the first candidate for a cut, a long one when others follow closely."""
        first = self._sharp[0]
        start = first - SHORT // 2
        crowded = any(start + SHORT - SHORT_MARGIN <= other < start + SHORT for other in self._sharp)
        return Window(start, LONG if crowded else SHORT, 1, SHORT_MARGIN)

    def _look_at_gradual(self, middle: int) -> None:
        """Stack a window around a change of colours, unless a cut explains it or the network has seen that place."""
        self._ask()
        reach = self._colours.reach
        start, end = max(0, middle - reach), middle + reach
        explained = any(found.kind == "cut" for found in self._probabilities.transitions(self._threshold, start, end))
        if not explained and not self._probabilities.asked[start:end].all():
            self._stack(Window(middle - self._half, LONG, self._stride, LONG_MARGIN))

    def _stack(self, window: Window) -> None:
        self._ready.append((window, self._recent.stack(window)))
        if len(self._ready) >= self._batch:
            self._ask()

    def _ask(self) -> None:
        """Run the network over what is stacked; windows of one length go together, padded to one batch size."""
        for length in (SHORT, LONG):
            chosen = [entry for entry in self._ready if entry[0].length == length]
            for begin in range(0, len(chosen), self._batch):
                part = chosen[begin : begin + self._batch]
                stacked = np.stack([frames for _, frames in part] + [part[-1][1]] * (self._batch - len(part)))
                for (window, _), single, every in zip(part, *self._network()(stacked)):
                    self._probabilities.note(window, single, every)
        self._ready = []
