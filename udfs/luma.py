"""Luma of frames at a common size, so that measures in pixels mean the same for every resolution."""

import numpy as np
from numpy.typing import NDArray

from udfs.scorer import RGB

Luma = NDArray[np.uint8]
"""Brightness of a frame: (height, width), 8 bit."""

LINES = 480
_LONGEST = 1280


def luma(frame: RGB) -> Luma:
    """BT.601 luma, 0..255, at the frame's own size."""
    import cv2

    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)


def at_480_lines(picture: Luma) -> Luma:
    """`picture` scaled so that its shorter side is 480 pixels (the longer one at most 1280), up or down, aspect kept."""
    import cv2

    height, width = picture.shape
    scale = min(LINES / min(height, width), _LONGEST / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == (width, height):
        return picture
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
