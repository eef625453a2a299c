"""Short windows of frames around candidates, stacked for the network."""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Window:
    """`length` frames from frame `start` on, every `stride`-th; predictions count from `margin` places inside its ends."""

    start: int
    length: int
    stride: int
    margin: int

    @property
    def end(self) -> int:
        """Frame after the last that it spans."""
        return self.start + self.length * self.stride


class RecentFrames:
    """The last `most` frames of a stream, so that a window can be stacked without holding the video."""

    def __init__(self, most: int) -> None:
        self._frames: deque[NDArray[np.uint8]] = deque(maxlen=most)
        self.count = 0

    def append(self, frame: NDArray[np.uint8]) -> None:
        """The next frame."""
        self._frames.append(frame)
        self.count += 1

    def stack(self, window: Window) -> NDArray[np.uint8]:
        """The window's frames as RGB (length, height, width, 3) from BGR ones; beyond the ends of the video its end frames again.

        Raises `ValueError` when frames are gone that it needs.
        """
        first = self.count - len(self._frames)
        numbers = np.clip(window.start + np.arange(window.length) * window.stride, 0, self.count - 1)
        if numbers[0] < first:
            raise ValueError(f"frame {numbers[0]} is gone, frames from {first} on are kept")
        return np.stack([self._frames[number - first] for number in numbers])[..., ::-1]
