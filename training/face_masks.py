"""Where the mouth and the face are, at the size of latents (vexpress.md §11.5)."""

from typing import NamedTuple

import numpy as np

LIP_LANDMARKS = slice(52, 72)
"""The mouth's among the 106 landmarks."""
LIP_GROWTH = 2.0


class Box(NamedTuple):
    """Of pixels, edges included, in px; may reach outside the image."""

    left: float
    top: float
    right: float
    bottom: float


def lip_box(landmarks: np.ndarray) -> Box:
    """The box of the mouth's landmarks (n, 2), twice as wide and as high about its centre."""
    (x1, y1), (x2, y2) = landmarks.min(axis=0).astype(int), landmarks.max(axis=0).astype(int)
    half_width, half_height = LIP_GROWTH * (x2 - x1) / 2, LIP_GROWTH * (y2 - y1) / 2
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    return Box(x - half_width, y - half_height, x + half_width, y + half_height)


def box_mask(box: Box, image_size: tuple[int, int], mask_size: tuple[int, int]) -> np.ndarray:
    """255 inside the box and 0 outside, soft at its edges: uint8 of `mask_size` (rows, columns) for an image of `image_size` (rows, columns).

    What lies outside the image is cut off. (Upstream lets negative edges wrap around, which empties the mask.)
    """
    from PIL import Image

    mask = np.zeros(image_size, dtype=np.uint8)
    left, top = max(0, int(box.left)), max(0, int(box.top))
    right, bottom = max(-1, int(box.right)), max(-1, int(box.bottom))
    mask[top : bottom + 1, left : right + 1] = 255
    rows, columns = mask_size
    return np.asarray(Image.fromarray(mask).resize((columns, rows), Image.Resampling.BILINEAR))
