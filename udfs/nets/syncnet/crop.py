"""The picture that SyncNet sees: a square around a face that moves smoothly (metrics.md §1.4, step 4)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SIDE_PX = 224
SMOOTHED_OVER = 13
"""Frames of the median filter over a face's place and size."""
ABOVE, BELOW, BESIDE = 1.0, 1.8, 1.4
"""How far the square reaches from the centre of the face box, in halves of the box's longer side."""
BORDER = 110
"""Grey level outside of the picture."""


class Places(NamedTuple):
    """Centre of a face and half its longer side, each (T,), in px."""

    half_side: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]


class Square(NamedTuple):
    """Rows and columns of a picture, ends exclusive; may reach out of it."""

    top: int
    bottom: int
    left: int
    right: int


def smoothed(boxes: NDArray[np.float64]) -> Places:
    """(T, 4) left, top, right, bottom of consecutive frames -> smoothed places.

    A running median padded with zeros, as upstream's: the first and last six frames take low values, so tracks have to be longer than that.
    """
    left, top, right, bottom = np.asarray(boxes, np.float64).T
    return Places(*(_median(values) for values in (np.maximum(bottom - top, right - left) / 2, (left + right) / 2, (top + bottom) / 2)))


def square(half_side: float, x: float, y: float) -> Square:
    """Rows and columns of the square around one smoothed place, whole px by truncation after the border was added, as upstream."""
    border = int(half_side * BELOW)
    rows = int(y + border - half_side * ABOVE), int(y + border + half_side * BELOW)
    columns = int(x + border - half_side * BESIDE), int(x + border + half_side * BESIDE)
    return Square(*(edge - border for edge in (*rows, *columns)))


def cut(frame: NDArray[np.uint8], where: Square) -> NDArray[np.uint8]:
    """(224, 224, 3): the square of a frame, grey outside of it, resized bilinearly. Raises `ValueError` for an empty square."""
    import cv2

    if where.bottom <= where.top or where.right <= where.left:
        raise ValueError(f"a face square of {where.right - where.left}x{where.bottom - where.top} px cannot be cut")
    height, width = frame.shape[:2]
    piece = np.full((where.bottom - where.top, where.right - where.left, 3), BORDER, np.uint8)
    top, bottom = np.clip((where.top, where.bottom), 0, height).tolist()
    left, right = np.clip((where.left, where.right), 0, width).tolist()
    if top < bottom and left < right:
        piece[top - where.top : bottom - where.top, left - where.left : right - where.left] = frame[top:bottom, left:right]
    return cv2.resize(piece, (SIDE_PX, SIDE_PX))


def _median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    padded = np.pad(values, SMOOTHED_OVER // 2)
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, SMOOTHED_OVER), axis=1)
