"""Frames at the sizes that trackers see (talkvid.md §3.2 and §3.4)."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
"""(height, width, 3), RGB."""


def quarter(frame: Frame, *, antialias: bool) -> Frame:
    """A quarter of each side, rounded down but at least 1 px, bilinear, rounded to whole values."""
    height, width = frame.shape[:2]
    return _resized(frame, max(1, height // 4), max(1, width // 4), antialias=antialias)


def short_side(frame: Frame, side_px: int, longest: int) -> Frame:
    """Shorter side `side_px`, the other to the nearest multiple of 4 px; antialiased. Of a longer strip than `longest` : 1 the middle is taken."""
    shorter = min(frame.shape[:2])
    rows, columns = (min(side, longest * shorter) for side in frame.shape[:2])
    top, left = (frame.shape[0] - rows) // 2, (frame.shape[1] - columns) // 2
    height, width = (side_px if side == shorter else 4 * round(side * side_px / shorter / 4) for side in (rows, columns))
    return _resized(frame[top : top + rows, left : left + columns], height, width, antialias=True)


def _resized(frame: Frame, height: int, width: int, *, antialias: bool) -> Frame:
    planes = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1).unsqueeze(0).contiguous().float()
    smaller = F.interpolate(planes, (height, width), mode="bilinear", align_corners=False, antialias=antialias)
    return smaller[0].round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
