"""Finds the transitions of a video file: one decode, small frames, a detector by name."""

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from udfs import media, weights
from udfs.device import GPU_ADDRESS
from udfs.nets.transnet import HEIGHT_PX, WIDTH_PX, TransNet
from udfs.sampling import nearest
from udfs.scorer import Device
from udfs.shots.content import ContentShots
from udfs.shots.transitions import Transition
from udfs.shots.transnet_shots import BATCH_ON_GPU, TransnetShots
from udfs.timeline import typical_gap_s

HISTOGRAM_WIDTH_PX = 256
"""What PySceneDetect scales frames to; a histogram of 48x27 pixels would be too rough. The others see shots as well at 48x27."""


class Finder(Protocol):
    """Is fed every frame of a video, 8-bit BGR, and tells the transitions at the end."""

    def feed(self, frame: NDArray[np.uint8]) -> None:
        """The next frame."""

    def finish(self) -> list[Transition]:
        """All transitions, ascending."""


def find_transitions(path: str | Path, detector: str, threshold: float, device: str = "cpu") -> list[Transition]:
    """Transitions of a local file as `detector` (transnet, content, adaptive, histogram) sees them at `threshold`.

    `device` is cpu or cuda, for the network. Raises `Rejected` as `udfs.media` does and `MissingError` without weights.
    """
    times_s = media.frame_times(path)
    finder = make_finder(detector, threshold, times_s, device)
    size = (HISTOGRAM_WIDTH_PX, None) if detector == "histogram" else (WIDTH_PX, HEIGHT_PX)
    for frame in every_frame(path, times_s, *size):
        finder.feed(frame)
    return finder.finish()


def make_finder(detector: str, threshold: float, times_s: NDArray[np.float64], device: str) -> Finder:
    """A detector for a video with these frame times."""
    if detector != "transnet":
        return ContentShots(detector, threshold)
    batch = BATCH_ON_GPU if device == "cuda" else 1
    rate = 1 / typical_gap_s(times_s)
    return TransnetShots(lambda: _network(device), frames=len(times_s), rate=rate, threshold=threshold, batch=batch)


def every_frame(path: str | Path, times_s: NDArray[np.float64], width_px: int, height_px: int | None) -> Iterator[NDArray[np.uint8]]:
    """One frame for each of `times_s`; in the place of one that damage has cost stands its neighbour."""
    number = 0
    frame: NDArray[np.uint8] | None = None
    for time_s, new in media.small_frames(path, width_px, height_px):
        index = nearest(times_s, time_s)
        while number < index:
            yield new if frame is None else frame
            number += 1
        if index == number:
            yield new
            number += 1
        frame = new
    for _ in range(number, len(times_s)):
        assert frame is not None
        yield frame


@lru_cache(maxsize=2)
def _network(kind: str) -> TransNet:
    """The network, once per process. It is small: workers may share a GPU."""
    index = int(os.environ.get(GPU_ADDRESS, "0")) if kind == "cuda" else 0
    return TransNet.load(weights.path("transnetv2"), Device(kind, index))
