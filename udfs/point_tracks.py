"""Following points from one picture to the next: corners, pyramidal Lucas–Kanade there and back."""

import numpy as np
from numpy.typing import NDArray

from udfs.luma import Luma

PIXELS_CHANGED_AT_LEAST = 0.0005
"""A picture with a smaller share of changed pixels stands still: less than a blinking eye changes."""

_LEVELS_CHANGED = 4
_POINTS_AT_MOST = 200
_APART_PX = 12
_CORNER_QUALITY = 0.01
_WINDOW_PX = 21
_PYRAMID_LEVELS = 3
_ROUND_TRIP_PX = 1.0


def changed_share(before: Luma, after: Luma) -> float:
    """Share of pixels, 0..1, whose luma differs by more than 4 levels (what encoders change of a still picture is less)."""
    import cv2

    return cv2.countNonZero(cv2.threshold(cv2.absdiff(before, after), _LEVELS_CHANGED, 1, cv2.THRESH_BINARY)[1]) / before.size


def track(before: Luma, after: Luma) -> tuple[int, NDArray[np.float32]]:
    """Number of points tried, and the displacements (n, 2), x then y in pixels, of those that could be followed.

    Points are up to 200 corners (Shi and Tomasi 1994), 12 px apart. A point is followed when it is found in `after`, inside
    the picture, and comes back to within 1 px of where it was when it is sought the other way.
    """
    import cv2

    corners = cv2.goodFeaturesToTrack(before, _POINTS_AT_MOST, _CORNER_QUALITY, _APART_PX)
    if corners is None or len(corners) == 0:
        return 0, np.zeros((0, 2), np.float32)
    window = {"winSize": (_WINDOW_PX, _WINDOW_PX), "maxLevel": _PYRAMID_LEVELS}
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, None, **window)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(after, before, there, None, **window)
    start, end, again = (points.reshape(-1, 2) for points in (corners, there, back))
    height, width = before.shape
    inside = (end >= 0).all(axis=1) & (end[:, 0] < width) & (end[:, 1] < height)
    home = np.linalg.norm(again - start, axis=1) < _ROUND_TRIP_PX
    followed = (found.ravel() == 1) & (returned.ravel() == 1) & inside & home
    return len(start), (end - start)[followed]
