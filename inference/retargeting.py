"""Driving key points brought onto the face of the portrait (vexpress.md §9).

Key points are float32 rows x, y in px: left eye, right eye, nose. The released program has two faults, which `as_released` brings back: it takes
the last frame for the one whose face looks most like the portrait's, and with `offset_retarget` the head moves the wrong way.
"""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from schemas.codes import Rejected

Points = NDArray[np.float32]
"""(3, 2), or (frames, 3, 2) for a sequence."""

FAR = 10_000.0
MOST_PX = 1 << 14
"""Key points further than this from the corner of the picture are an error in their file, and beyond what is drawn surely."""


def resampled(sequence: Points, frames: int) -> Points:
    """The first `frames` of a sequence, or a shorter one stretched to so many, linear in time."""
    kept = torch.from_numpy(np.ascontiguousarray(sequence[:frames], np.float32))
    rows = F.interpolate(kept.flatten(1).t()[None], size=frames, mode="linear", align_corners=False)
    return rows[0].t().unflatten(1, (3, 2)).numpy()


def retargeted(strategy: str, reference: Points, sequence: Points | None, frames: int, *, as_released: bool = False) -> Points:
    """Key points for each of `frames` frames, (frames, 3, 2). `sequence` may be None for `fix_face` only.

    `fix_face`: those of the portrait; `no_retarget`: the sequence as it is; `naive_retarget`: the sequence, sized like the portrait's face and moved onto
    it; `offset_retarget`: the portrait's, moved by half of what the sequence's nose moves.
    Raises `Rejected`, `decode_error`: a face that is needed has no width or height, or points lie far outside any picture.
    """
    if strategy == "fix_face":
        return np.repeat(reference[None].astype(np.float32), frames, axis=0)
    if sequence is None:
        raise ValueError(f"{strategy} needs a sequence of key points")
    driving = _within_reach(resampled(sequence, frames))
    if strategy == "no_retarget":
        return driving
    sized = driving * scales(reference, driving[alike(reference, driving, as_released=as_released)])
    if strategy == "naive_retarget":
        return _within_reach(sized - (sized[0, 2] - reference[2]))
    if strategy == "offset_retarget":
        return _within_reach(moved_by_half(reference, sized, mirrored=as_released))
    raise ValueError(f"there is no strategy {strategy!r}")


def alike(reference: Points, sequence: Points, *, as_released: bool = False) -> int:
    """The frame whose face is turned most like the portrait's: the nose divides the way between the eyes most alike."""
    apart = np.abs(_turn(sequence) - _turn(reference))
    if not as_released:
        return int(apart.argmin())
    chosen, threshold = 0, FAR
    for index, (difference, turn) in enumerate(zip(apart, _turn(sequence))):
        if difference < threshold:
            chosen, threshold = index, turn
    return chosen


def scales(reference: Points, other: Points) -> Points:
    """How much wider and higher the portrait's face is than another: (2,). Raises `Rejected`, `decode_error`, for one without width or height."""
    wide, high = np.linalg.norm(other[0] - other[1]), _height(other)
    if wide == 0 or high == 0:
        raise Rejected("decode_error", "the face most like the portrait's is flat: its eyes lie on one point, or its nose between them")
    return np.array([np.linalg.norm(reference[0] - reference[1]) / wide, _height(reference) / high], np.float32)


def moved_by_half(reference: Points, sized: Points, *, mirrored: bool = False) -> Points:
    """The portrait's key points, moved by half of what the nose of `sized` moves since its first frame; `mirrored`: the other way."""
    way = (sized[:, 2:] - sized[0, 2]) / 2
    return reference - way if mirrored else reference + way


def _within_reach(points: Points) -> Points:
    if not (np.abs(points) <= MOST_PX).all():
        raise Rejected("decode_error", f"key points lie more than {MOST_PX} px outside the picture")
    return points


def _turn(points: Points) -> NDArray[np.float32]:
    """Left eye to nose over right eye to nose, for one face or for each of several."""
    left, right, nose = points[..., 0, :], points[..., 1, :], points[..., 2, :]
    return np.linalg.norm(left - nose, axis=-1) / (np.linalg.norm(right - nose, axis=-1) + 1e-6)


def _height(points: Points) -> float:
    """From the nose to the line between the eyes, not beyond its ends."""
    left, right, nose = points
    along = right - left
    length = float(np.dot(along, along))
    share = np.clip(np.dot(nose - left, along) / length, 0, 1) if length > 0 else 0.0
    return float(np.linalg.norm(nose - (left + share * along)))
