"""Where the face is at each 1/25 s, from the few moments at which `head` saw it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from udfs.nets.syncnet.agreement import FPS

APART_S = 1.5
"""Sightings further apart than this belong to two tracks; `head` looks once a second."""
REACH_S = 1.0
"""A face is held this long before its first sighting and after its last: the 25 frames that upstream bridges (metrics.md §1.4)."""


@dataclass(frozen=True)
class Track:
    """A face over consecutive frames of 1/25 s: the first one's number from the clip's start, and (T, 4) left, top, right, bottom in px."""

    first: int
    boxes: NDArray[np.float64]


def longest_track(faces: Sequence[dict[str, Any]], duration_s: float) -> Track | None:
    """The longest stretch of `faces` (the rows of `scores.head.faces`), boxes linear in between; None when there are none.

    Sightings a second apart cannot be told to be one face by their overlap, which upstream asks for from frame to frame, and no face is too small here:
    `head` keeps moments with one face only, and its own values say how large it is. `inference.metrics.face_run` has upstream's conditions.
    """
    seen = sorted((face["time_s"], face["box"]) for face in faces if 0 <= face["time_s"] <= duration_s)
    if not seen:
        return None
    times_s = np.array([time_s for time_s, _ in seen])
    boxes = np.array([box for _, box in seen], np.float64)
    breaks = np.flatnonzero(np.diff(times_s) > APART_S) + 1
    stretch = max(np.split(np.arange(len(seen)), breaks), key=lambda part: times_s[part[-1]] - times_s[part[0]])
    inside = times_s[stretch]
    first = int(np.ceil(max(0.0, inside[0] - REACH_S) * FPS))
    after = int(np.floor(min(duration_s, inside[-1] + REACH_S) * FPS))
    moments_s = np.arange(first, after) / FPS
    return Track(first, np.stack([np.interp(moments_s, inside, boxes[stretch, side]) for side in range(4)], axis=1))
