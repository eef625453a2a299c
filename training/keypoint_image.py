"""The picture of the key points that steers the head: two sticks and three dots (vexpress.md §6.2, §6.3)."""

import math
from typing import NamedTuple

import numpy as np

EYE_COLOURS = ((255, 0, 0), (0, 255, 0))
NOSE_COLOUR = (0, 0, 255)
RADIUS_PX = 4
STICK_SHADE = 0.6


class Stick(NamedTuple):
    """The ellipse between an eye and the nose: centre x, y and half its length in px, its angle in degrees (0 is to the right, y grows downwards)."""

    centre: tuple[int, int]
    half_length: int
    angle: int


def stick(eye: np.ndarray, nose: np.ndarray) -> Stick:
    """Of two points x, y in px. Every number is cut towards zero, also where it is negative."""
    x, y = eye - nose
    half_way = (int(np.mean((eye[0], nose[0]))), int(np.mean((eye[1], nose[1]))))
    return Stick(half_way, int(np.hypot(x, y) / 2), int(math.degrees(math.atan2(y, x))))


def draw_keypoints(points: np.ndarray, height: int, width: int, into: np.ndarray | None = None, mirrored: bool = False) -> np.ndarray:
    """Left eye, right eye and nose, rows x, y in px (3, 2), on black: RGB uint8 (height, width, 3). Points may lie outside.

    Further rows (mouth corners) are ignored. `left` is on the image's left, as a detector counts. `into` is drawn in and returned where
    it is given: contiguous. `mirrored` gives the picture of the mirrored face, in which red is again the eye on the image's left.
    """
    import cv2

    canvas = np.empty((height, width, 3), dtype=np.uint8) if into is None else into
    canvas.fill(0)
    left, right, nose = np.asarray(points, dtype=np.float32)[:3]
    first, second = reversed(EYE_COLOURS) if mirrored else EYE_COLOURS
    for eye, colour in ((left, first), (right, second)):
        centre, half_length, angle = stick(eye, nose)
        outline = cv2.ellipse2Poly(centre, (half_length, RADIUS_PX), angle, 0, 360, 1)
        cv2.fillConvexPoly(canvas, outline, [int(STICK_SHADE * part) for part in colour])
    for (x, y), colour in ((left, first), (right, second), (nose, NOSE_COLOUR)):
        cv2.circle(canvas, (int(x), int(y)), RADIUS_PX, colour, thickness=-1)
    return cv2.flip(canvas, 1, dst=canvas) if mirrored else canvas
