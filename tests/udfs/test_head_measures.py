"""The formulas of talkvid.md §4.2 against values computed by hand."""

import numpy as np
import pytest

from udfs.faces.backend import Face, Pose
from udfs.head_measures import completeness, face_consistency, head_values

KEYPOINTS = np.array([[40, 40], [60, 40], [50, 50], [42, 60], [58, 60]], np.float32)
FRONTAL = Pose(0, 0, 0)


def face(shift_px: float = 0.0, box: tuple[float, ...] = (30, 20, 70, 70)) -> Face:
    return Face(np.array(box, np.float32), 0.9, KEYPOINTS + np.float32(shift_px))


def test_movement_is_the_mean_coordinate_change_over_the_shorter_side():
    values = head_values([face(0), face(4), face(16)], [FRONTAL] * 3, 400, 200)
    # 4 of 200 px = 2 %, then 12 of 200 px = 6 %
    assert (values["avg_movement"], values["min_movement"], values["min_movement_id"]) == (pytest.approx(96), pytest.approx(94), 1)


def test_rotation_is_the_length_of_the_change_of_the_three_angles():
    values = head_values([face()] * 3, [FRONTAL, Pose(3, 4, 0), Pose(3, 4, 1)], 100, 100)
    assert (values["avg_rotation"], values["min_rotation"], values["min_rotation_id"]) == (pytest.approx(97), pytest.approx(95), 0)


def test_orientation_takes_each_angle_in_percent_of_180_degrees():
    values = head_values([face()] * 2, [Pose(-18, 0, 0), Pose(27, -36, 0)], 100, 100)
    # 10, then hypot(15, 20) = 25
    assert (values["avg_orientation"], values["min_orientation"], values["min_orientation_id"]) == (pytest.approx(82.5), pytest.approx(75), 1)


def test_resolution_is_thirty_times_the_percentage_the_box_covers():
    values = head_values([face(box=(0, 0, 50, 50)), face(box=(0, 0, 20, 50))], [FRONTAL] * 2, 500, 200)
    # 2.5 % and 1 %
    assert (values["avg_resolution"], values["min_resolution"], values["min_resolution_id"]) == (pytest.approx(52.5), pytest.approx(30), 1)


@pytest.mark.parametrize(
    ("outside", "expected"),
    [((), 100), ((0,), 85), ((0, 1), 70), ((2,), 60), ((3,), 85), ((0, 1, 2, 3, 4), 0)],
)
def test_completeness_weighs_eyes_30_nose_40_mouth_30(outside, expected):
    points = KEYPOINTS.copy()
    points[list(outside), 0] = -1
    assert completeness(points, 100, 100) == pytest.approx(expected)


def test_a_point_on_the_frame_s_first_line_is_inside_and_one_past_its_last_is_not():
    points = np.array([[0, 0], [99, 99], [50, 50], [100, 50], [50, 100]], np.float32)
    assert completeness(points, 100, 100) == pytest.approx(70)


def test_one_single_face_frame_has_full_movement_and_rotation():
    values = head_values([face()], [Pose(0, 18, 0)], 100, 100)
    assert (values["avg_movement"], values["min_movement"], values["avg_rotation"], values["min_rotation"]) == (100, 100, 100, 100)
    assert (values["min_movement_id"], values["min_rotation_id"], values["min_orientation_id"]) == (None, None, 0)
    assert values["avg_orientation"] == pytest.approx(90)


def test_without_a_single_face_frame_all_is_none():
    assert set(head_values([], [], 100, 100).values()) == {None}


@pytest.mark.parametrize(("counts", "expected"), [([1, 1], 100), ([1, 0, 1], 80), ([2, 0, 1], 60), ([0] * 9, 0), ([], None)])
def test_face_consistency_loses_20_for_each_frame_without_exactly_one_face(counts, expected):
    assert face_consistency(counts) == expected
