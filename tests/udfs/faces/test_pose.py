"""Head pose from five keypoints, on a face that is turned by known angles."""

import math

import numpy as np
import pytest

from udfs.faces.pose import FACE_MM, pose_from_keypoints, pose_from_rotation


def rotation(pitch: float, yaw: float, roll: float) -> np.ndarray:
    """First about x, then y, then z, in degrees."""
    (cx, sx), (cy, sy), (cz, sz) = ((math.cos(math.radians(a)), math.sin(math.radians(a))) for a in (pitch, yaw, roll))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def seen(pitch: float, yaw: float, roll: float, px_per_mm: float = 2.0) -> np.ndarray:
    """Keypoints of the turned face from far away."""
    return ((FACE_MM @ rotation(pitch, yaw, roll).T)[:, :2] * px_per_mm + (700, 300)).astype(np.float32)


ANGLES = [(0, 0, 0), (15, 0, 0), (-15, 0, 0), (0, 25, 0), (0, -25, 0), (0, 0, 30), (0, 0, -80), (10, -20, 15)]


@pytest.mark.parametrize("angles", ANGLES)
def test_angles_come_back_from_a_rotation(angles):
    pose = pose_from_rotation(rotation(*angles))
    assert (pose.pitch, pose.yaw, pose.roll) == pytest.approx(angles, abs=1e-9)


@pytest.mark.parametrize("angles", ANGLES)
def test_angles_come_back_from_keypoints(angles):
    pose = pose_from_keypoints(seen(*angles))
    assert (pose.pitch, pose.yaw, pose.roll) == pytest.approx(angles, abs=4)


def test_pose_does_not_depend_on_place_or_size():
    here, there = pose_from_keypoints(seen(10, -20, 15)), pose_from_keypoints(seen(10, -20, 15, px_per_mm=0.5) + np.float32(400))
    assert (there.pitch, there.yaw, there.roll) == pytest.approx((here.pitch, here.yaw, here.roll), abs=0.01)


def test_nose_towards_the_right_of_the_picture_is_positive_yaw_and_upwards_positive_pitch():
    frontal = seen(0, 0, 0)
    right, up = frontal.copy(), frontal.copy()
    right[2, 0] += 15
    up[2, 1] -= 15
    assert pose_from_keypoints(right).yaw > 5
    assert pose_from_keypoints(up).pitch > 5


def test_points_that_fall_together_have_no_pose():
    pose = pose_from_keypoints(np.full((5, 2), 7, np.float32))
    assert (pose.pitch, pose.yaw, pose.roll) == (0, 0, 0)
