"""Landmark distance: how far the points of a generated face are from those of the real one (metrics.md §5)."""

import numpy as np
from numpy.typing import NDArray

Landmarks = NDArray[np.floating]
"""(T, 68, 2): x, y in px of the 68 points of iBUG 300-W, one face a frame."""

MOUTH = slice(48, 68)
FACE = slice(0, 68)
_RIGHT_EYE, _LEFT_EYE = slice(36, 42), slice(42, 48)


def lmd(generated: Landmarks, real: Landmarks, points: slice = MOUTH, *, centred: bool = True) -> float:
    """Mean Euclidean distance over frames and points, in px of the frame; `MOUTH` gives M-LMD, `FACE` F-LMD.

    `centred`: each frame's mean over `points` is taken away first, so that a moved head does not count. (ATVGnet's released code, centred too,
    sums over the 20 points of the mouth: 20 times this. Chen et al. 2019.)
    """
    return float(_distances(generated, real, points, centred).mean())


def lmd_over_interocular(generated: Landmarks, real: Landmarks, points: slice = MOUTH, *, centred: bool = True) -> float:
    """The same in units of the distance between the real frame's eyes (means of points 36..41 and 42..47), so without the frame's size."""
    eyes = np.linalg.norm(real[:, _RIGHT_EYE].mean(1) - real[:, _LEFT_EYE].mean(1), axis=-1)
    return float((_distances(generated, real, points, centred) / eyes[:, None]).mean())


def _distances(generated: Landmarks, real: Landmarks, points: slice, centred: bool) -> NDArray[np.floating]:
    """(T, points)."""
    if generated.shape != real.shape or generated.shape[1:] != (68, 2) or len(real) == 0:
        raise ValueError(f"two tracks (T, 68, 2) of one length are needed, not {generated.shape} and {real.shape}")
    one, other = generated[:, points], real[:, points]
    if centred:
        one, other = one - one.mean(1, keepdims=True), other - other.mean(1, keepdims=True)
    return np.linalg.norm(one - other, axis=-1)
