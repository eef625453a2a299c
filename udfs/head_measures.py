"""The head values of talkvid.md §4.2, from the faces of the single-face frames in their order."""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

import numpy as np

from udfs.faces.backend import Face, Keypoints, Pose

_EYES, _NOSE, _MOUTH = slice(0, 2), slice(2, 3), slice(3, 5)


def head_values(faces: Sequence[Face], poses: Sequence[Pose], width_px: int, height_px: int) -> dict[str, float | int | None]:
    """avg_, min_ and min_…_id of movement, rotation, completeness, resolution and orientation; frames are `width_px` x `height_px`.

    Neighbours are consecutive single-face frames, even if seconds between them had none or several faces. With one such
    frame movement and rotation are 100 and their ids None; with none everything is None.
    """
    points = [face.keypoints for face in faces]
    per_frame = {
        "completeness": [completeness(keypoints, width_px, height_px) for keypoints in points],
        "resolution": [30 * box_share(face, width_px, height_px) for face in faces],
        "orientation": [100 - turned_away(pose) for pose in poses],
    }
    per_step = {
        "movement": [100 - 100 * moved(first, second, width_px, height_px) for first, second in pairwise(points)],
        "rotation": [100 - turned(first, second) for first, second in pairwise(poses)],
    }
    values: dict[str, float | int | None] = {}
    for name, series in {**per_step, **per_frame}.items():
        alone = 100.0 if faces and name in per_step else None
        values[f"avg_{name}"] = fmean(series) if series else alone
        values[f"min_{name}"] = min(series) if series else alone
        values[f"min_{name}_id"] = series.index(min(series)) if series else None
    return values


def face_consistency(counts: Sequence[int]) -> float | None:
    """100 less 20 for each sampled frame that has not exactly one face, at least 0; None when no frame was sampled."""
    return max(0.0, 100.0 - 20.0 * sum(count != 1 for count in counts)) if counts else None


def moved(first: Keypoints, second: Keypoints, width_px: int, height_px: int) -> float:
    """Mean absolute change of the ten coordinates, as a share of the frame's shorter side."""
    return float(np.abs(first - second).mean(dtype=np.float64)) / min(width_px, height_px)


def turned(first: Pose, second: Pose) -> float:
    """Length of the change of (pitch, yaw, roll), in degrees."""
    return math.dist((first.pitch, first.yaw, first.roll), (second.pitch, second.yaw, second.roll))


def turned_away(pose: Pose) -> float:
    """Length of (pitch, yaw, roll), each in percent of 180 degrees; 0 faces the camera."""
    return math.hypot(pose.pitch, pose.yaw, pose.roll) / 180 * 100


def completeness(keypoints: Keypoints, width_px: int, height_px: int) -> float:
    """0..100: 30 for the eyes, 40 for the nose, 30 for the mouth, each times the share of its points inside the frame."""
    inside = ((keypoints >= 0) & (keypoints < (width_px, height_px))).all(axis=1)
    return 100 * float(0.3 * inside[_EYES].mean() + 0.4 * inside[_NOSE].mean() + 0.3 * inside[_MOUTH].mean())


def box_share(face: Face, width_px: int, height_px: int) -> float:
    """Area of the face box in percent of the frame's."""
    left, top, right, bottom = (float(side) for side in face.box)
    return 100 * (right - left) * (bottom - top) / (width_px * height_px)
