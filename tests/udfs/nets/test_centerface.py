"""CenterFace: its outputs decoded by hand, and the real network on a public-domain portrait."""

import numpy as np
import pytest
from skimage import data

from udfs import weights
from udfs.nets.centerface import CenterFace, decode, suppress
from udfs.scorer import Device


@pytest.fixture(scope="module")
def network() -> CenterFace:
    return CenterFace(weights.path("centerface"), Device())


def test_cell_becomes_a_box_and_keypoints():
    heat, log_size = np.zeros((1, 8, 8), np.float32), np.zeros((2, 8, 8), np.float32)
    offset, landmarks = np.zeros((2, 8, 8), np.float32), np.zeros((10, 8, 8), np.float32)
    heat[0, 3, 5] = 0.75
    log_size[:, 3, 5] = np.log([5, 3])
    offset[:, 3, 5] = (0.25, -0.5)
    landmarks[:, 3, 5] = np.arange(10) / 10
    boxes, scores, keypoints = decode(heat, log_size, offset, landmarks, 0.5)
    # centre y (3 + 0.25 + 0.5) * 4 = 15, x (5 - 0.5 + 0.5) * 4 = 20; height 20, width 12
    assert boxes == pytest.approx(np.array([[14, 5, 26, 25]]), abs=1e-4)
    assert scores == pytest.approx([0.75])
    # y is in even channels, x in odd ones, from the corner (14, 5)
    assert keypoints[0, :2] == pytest.approx(np.array([[14 + 0.1 * 12, 5 + 0.0 * 20], [14 + 0.3 * 12, 5 + 0.2 * 20]]), abs=1e-4)


def test_overlapping_boxes_leave_the_surest():
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [20, 0, 30, 10]], np.float32)
    assert suppress(boxes, np.array([0.9, 0.8, 0.7], np.float32)) == [0, 2]


def test_portrait_has_one_face_with_eyes_over_the_mouth(network):
    boxes, scores, keypoints = network.detect(data.astronaut(), 640, 0.5)
    assert len(boxes) == 1 and scores[0] > 0.8
    left_eye, right_eye, nose, left_mouth, right_mouth = keypoints[0]
    assert left_eye == pytest.approx([204, 101], abs=4) and right_eye == pytest.approx([248, 103], abs=4)
    assert left_eye[0] < nose[0] < right_eye[0] and left_eye[1] < nose[1] < left_mouth[1]
    assert left_mouth[0] < right_mouth[0]


def test_two_portraits_are_two_faces(network):
    assert len(network.detect(np.hstack([data.astronaut()] * 2), 1024, 0.5)[0]) == 2


def test_picture_without_a_face_has_none(network):
    boxes, scores, keypoints = network.detect(data.coffee(), 640, 0.5)
    assert boxes.shape == (0, 4) and scores.shape == (0,) and keypoints.shape == (0, 5, 2)


def test_same_picture_gives_the_same_numbers(network):
    first, second = (network.detect(data.astronaut(), 640, 0.5) for _ in range(2))
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))
