"""Where the mouth is: the box that training weighs more, from whatever a face back end knows of the lips (vexpress.md §11.5)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LIP_LANDMARKS = slice(52, 72)
"""The mouth's among the 106 landmarks."""
LIP_GROWTH = 2.0

OPENING = 0.4
SINKING = 0.09
"""Height of the lips, and how far their middle lies below the line of the corners, in distances from the eyes to the mouth:
medians of what dlib's 68 points say on real footage (`python -m benchmarks.lip_boxes`)."""


class Box(NamedTuple):
    """Of pixels, edges included, in px; may reach outside the image."""

    left: float
    top: float
    right: float
    bottom: float


def lip_box(landmarks: NDArray[np.floating]) -> Box:
    """The box of the mouth's landmarks (n, 2), twice as wide and as high about its centre."""
    (x1, y1), (x2, y2) = landmarks.min(axis=0).astype(int), landmarks.max(axis=0).astype(int)
    half_width, half_height = LIP_GROWTH * (x2 - x1) / 2, LIP_GROWTH * (y2 - y1) / 2
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    return Box(x - half_width, y - half_height, x + half_width, y + half_height)


def mouth_outline(keypoints: NDArray[np.floating]) -> NDArray[np.float64]:
    """Four points (4, 2) about where the lips end, from five keypoints: the two corners, and what is above and below their middle.

    A detector places corners only; how high lips are is taken from the distance of the eyes to the mouth, which turning the head to a side leaves.
    """
    points = np.asarray(keypoints, np.float64)
    eyes, mouth = points[:2].mean(axis=0), points[3:5].mean(axis=0)
    down = mouth - eyes
    middle = mouth + SINKING * down
    return np.stack([points[3], points[4], middle - OPENING / 2 * down, middle + OPENING / 2 * down])
