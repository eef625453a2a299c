"""Head pose from five keypoints, by a perspective fit of a generic face (PnP)."""

import math

import numpy as np
from numpy.typing import NDArray

from udfs.faces.backend import Keypoints, Pose

FACE_MM = np.array([[-31.5, 0, 0], [31.5, 0, 0], [0, 36, 27], [-25.5, 71, 6], [25.5, 71, 6]], np.float64)
"""A generic adult face in the order of keypoints, millimetres: x to the right and y down as a camera sees it, z towards the camera."""

_DISTANCE_MM = 1000.0
_TOWARDS_CAMERA = np.diag([1.0, 1.0, -1.0])


def pose_from_keypoints(keypoints: Keypoints) -> Pose:
    """The rotation that puts `FACE_MM` over (5, 2) keypoints, seen from a metre away by a camera that looks straight at the face.

    The camera is aimed at the face wherever it is in the picture, so the pose depends on the keypoints' shape alone, as
    that of the 68-point fit does. A face whose points fall together has pose 0, 0, 0.
    """
    import cv2

    points = keypoints.astype(np.float64) - keypoints.mean(axis=0, dtype=np.float64)
    spread = math.sqrt(float((points**2).sum()) / float(((FACE_MM - FACE_MM.mean(axis=0))[:, :2] ** 2).sum()))
    if spread == 0:
        return Pose(0.0, 0.0, 0.0)
    camera = np.diag([spread * _DISTANCE_MM, spread * _DISTANCE_MM, 1.0])
    found, turn, _ = cv2.solvePnP((FACE_MM - FACE_MM.mean(axis=0)) @ _TOWARDS_CAMERA, points, camera, None, flags=cv2.SOLVEPNP_SQPNP)
    if not found:
        return Pose(0.0, 0.0, 0.0)
    rotation = _TOWARDS_CAMERA @ cv2.Rodrigues(turn)[0] @ _TOWARDS_CAMERA
    return pose_from_rotation(rotation)


def pose_from_rotation(rotation: NDArray[np.float64]) -> Pose:
    """Angles in degrees of a (3, 3) rotation in the axes of `FACE_MM`: first pitch about x, then yaw about y, then roll about z."""
    level = math.hypot(rotation[0, 0], rotation[1, 0])
    pitch = math.atan2(rotation[2, 1], rotation[2, 2])
    yaw = math.atan2(-rotation[2, 0], level)
    roll = math.atan2(rotation[1, 0], rotation[0, 0])
    return Pose(math.degrees(pitch), math.degrees(yaw), math.degrees(roll))
