"""Faces whose key points are known to the pixel: three coloured squares on black, and a stand-in for the detector that finds them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from udfs.faces.backend import Face
from udfs.footage.encoder import X264, write_video

FACE = np.array([[40, 30], [72, 34], [52, 56]], np.float32)
"""Left eye, right eye, nose in px of the picture: no two share a row, so that x and y cannot be swapped unseen."""
SIDE_PX = 12
BRIGHT, DARK = 110, 90

Where = Callable[[float], NDArray[np.float32] | None]
"""The face's key points at a time in s; None where there is no face."""


def marked_picture(size: tuple[int, int], face: NDArray[np.float32] | None) -> NDArray[np.uint8]:
    """A picture of (width, height): red, green, blue squares around the three key points."""
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    for channel, (x, y) in enumerate(() if face is None else np.round(face).astype(int)):
        picture[y - SIDE_PX // 2 : y + SIDE_PX // 2, x - SIDE_PX // 2 : x + SIDE_PX // 2, channel] = 255
    return picture


def marked_video(path: Path, seconds: float, fps: float, where: Where, size: tuple[int, int] = (192, 128)) -> Path:
    """A video whose face lies where `where` says."""
    return write_video(path, (marked_picture(size, where(number / fps)) for number in range(round(seconds * fps))), fps, None, X264 | {"crf": 4})


class MarkFinder:
    """In place of a face detector: the centres of the three colours. `shapes` are the pictures that it was shown."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def detect(self, rgb: NDArray[np.uint8]) -> list[Face]:
        """The face, where all three colours are there."""
        self.shapes.append(rgb.shape)
        masks = [(rgb[..., channel] > BRIGHT) & (np.delete(rgb, channel, -1).max(-1) < DARK) for channel in range(3)]
        if not all(mask.any() for mask in masks):
            return []
        centres = [np.argwhere(mask).mean(0)[::-1] + 0.5 for mask in masks]
        return [Face(np.zeros(4, np.float32), 0.9, np.array([*centres, (0, 0), (0, 0)], np.float32))]
