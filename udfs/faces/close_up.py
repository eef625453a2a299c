"""The square around a face, cut out of its frame: where a detector sees that face best, and at the least cost."""

import numpy as np
from numpy.typing import NDArray

from udfs.scorer import RGB


def close_up(rgb: RGB, box: NDArray[np.float32], heights: float) -> tuple[RGB, NDArray[np.int64]]:
    """The square about the middle of `box` (left, top, right, bottom), `heights` times as high, and its upper left corner (x, y).

    Black where it reaches over the frame.
    """
    left, top, right, bottom = box
    side = max(1, round(float(bottom - top) * heights))
    corner = np.array([round(float(left + right - side) / 2), round(float(top + bottom - side) / 2)])
    return _square(rgb, corner, side), corner


def _square(rgb: RGB, corner: NDArray[np.int64], side: int) -> RGB:
    height, width = rgb.shape[:2]
    square = np.zeros((side, side, 3), np.uint8)
    left, top = np.clip(corner, 0, (width, height))
    right, bottom = np.clip(corner + side, 0, (width, height))
    square[top - corner[1] : bottom - corner[1], left - corner[0] : right - corner[0]] = rgb[top:bottom, left:right]
    return square
