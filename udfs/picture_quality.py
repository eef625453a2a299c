"""Measures of one picture's technical quality, each computable by hand. Pictures are luma, (height, width), 8 bit."""

import math

import numpy as np
from numpy.typing import NDArray

from udfs.luma import Luma

Shares = NDArray[np.float32]
"""Share of lit pixels of each row, or of each column, 0..1."""

_BLOCK = 8
_STEP_FLOOR = 0.1
_DARK_AT_MOST = 24
_BORDER_LIT_AT_MOST = 0.005
_PICTURE_LIT_AT_LEAST = 0.25
_EDGE_OF_MEDIAN_AT_LEAST = 0.5
_NOISE_MASK = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def sharpness(picture: Luma) -> float:
    """Variance of the Laplacian (4 neighbours), 0 for a flat picture; higher is sharper."""
    import cv2

    return float(cv2.Laplacian(picture, cv2.CV_16S, borderType=cv2.BORDER_REPLICATE).var(dtype=np.float64))


def noise(picture: Luma) -> float:
    """Standard deviation of white noise in grey levels, by Immerkaer's mask (1996); fine texture counts as noise too. 0 below 3x3."""
    import cv2

    height, width = picture.shape
    if height < 3 or width < 3:
        return 0.0
    response = cv2.filter2D(picture, cv2.CV_16S, _NOISE_MASK)[1:-1, 1:-1]
    return math.sqrt(math.pi / 2) / 6 * float(np.abs(response).mean(dtype=np.float64))


def exposure(picture: Luma) -> float:
    """Mean luma, 0..1."""
    return float(picture.mean(dtype=np.float64)) / 255


def contrast(picture: Luma) -> float:
    """Distance of the 5th and 95th percentile of luma, 0..1; a percentile is the lowest level that at least so many pixels do not exceed."""
    up_to = np.cumsum(np.bincount(picture.ravel(), minlength=256))
    low, high = np.searchsorted(up_to, (0.05 * picture.size, 0.95 * picture.size))
    return float(high - low) / 255


def blockiness(picture: Luma) -> float:
    """Mean luma step across the edges of an 8x8 grid relative to the steps inside its blocks; about 1 when there is no grid.

    The grid may begin anywhere (crops shift it): the strongest of the 8 phases against the other seven, rows and columns
    apart, then averaged. 0.1 grey level is added above and below, so that a flat picture has 1.
    """
    signed = picture.astype(np.int16)
    across = np.abs(np.diff(signed, axis=1)).mean(axis=0, dtype=np.float64)
    down = np.abs(np.diff(signed, axis=0)).mean(axis=1, dtype=np.float64)
    return (_grid_strength(across) + _grid_strength(down)) / 2


def _grid_strength(steps: NDArray[np.float64]) -> float:
    if len(steps) < 2 * _BLOCK:
        return 1.0
    whole = steps[: len(steps) // _BLOCK * _BLOCK].reshape(-1, _BLOCK).mean(axis=0)
    edge = float(whole.max())
    inside = float(whole.sum() - edge) / (_BLOCK - 1)
    return (edge + _STEP_FLOOR) / (inside + _STEP_FLOOR)


def lit_shares(picture: Luma) -> tuple[Shares, Shares]:
    """Of each row and of each column, the share of pixels brighter than a dark border is (luma over 24)."""
    lit = picture > _DARK_AT_MOST
    return lit.mean(axis=1, dtype=np.float32), lit.mean(axis=0, dtype=np.float32)


def letterbox(rows: Shares, columns: Shares) -> float:
    """Share of the picture that is a dark border, 0..1, from the lit shares of rows and columns (their maximum over frames).

    A border is dark up to 0.5 % of each line and ends abruptly: of the next three lines one is lit over at least a quarter of
    its length, and at least half as much as the lit lines' median. So a speaker before a black wall has none. A picture
    without light is all border.
    """
    if not (rows > _BORDER_LIT_AT_MOST).any():
        return 1.0
    top, bottom = _border(rows), _border(rows[::-1])
    inner = (columns * len(rows) / max(1, len(rows) - top - bottom)).astype(np.float32)
    left, right = _border(inner), _border(inner[::-1])
    return 1 - (1 - (top + bottom) / len(rows)) * (1 - (left + right) / len(columns))


def _border(shares: Shares) -> int:
    lit = shares > _BORDER_LIT_AT_MOST
    dark = int(np.argmax(lit))
    needed = max(_PICTURE_LIT_AT_LEAST, _EDGE_OF_MEDIAN_AT_LEAST * float(np.median(shares[lit]))) if lit.any() else 0.0
    return dark if shares[dark : dark + 3].max() >= needed else 0
