"""Which looks show one face, by the conditions of SyncNet's own pipeline (metrics.md §1.4, step 3)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from udfs.sync_track import APART_S

OVERLAP = 0.5
"""Intersection over union that a box must exceed with the last one of its face."""
LEAST_SIDE_PX = 100
"""What the mean width or the mean height of a face must exceed."""
LEAST_SPAN_S = 1.0
"""Between the first and the last look at a face; its box is held for up to a second before and after."""


def longest_run(faces: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of sightings in order of time (`time_s`, and `box`: left, top, right, bottom) those of the face that is seen longest; empty when none is seen for
    `LEAST_SPAN_S`. A sighting goes to the first face that it overlaps, at most `APART_S` later, as upstream's greedy tracker has it."""
    runs: list[list[dict[str, Any]]] = []
    for face in faces:
        same = (run for run in runs if face["time_s"] - run[-1]["time_s"] <= APART_S and _overlap(face["box"], run[-1]["box"]) > OVERLAP)
        run = next(same, None)
        if run is None:
            runs.append([face])
        else:
            run.append(face)
    longest = max(runs, key=_span_s, default=[])
    return longest if longest and _span_s(longest) >= LEAST_SPAN_S - 1e-6 else []


def side_px(run: Sequence[dict[str, Any]]) -> float:
    """The larger of a face's mean width and mean height."""
    boxes = np.array([face["box"] for face in run], np.float64)
    return float((boxes[:, 2:] - boxes[:, :2]).mean(0).max())


def _span_s(run: Sequence[dict[str, Any]]) -> float:
    return run[-1]["time_s"] - run[0]["time_s"]


def _overlap(one: Sequence[float], other: Sequence[float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width * height / (areas - width * height)
