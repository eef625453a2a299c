"""The picture of the key points."""

import json
import zlib
from pathlib import Path

import numpy as np
import pytest

from training.keypoint_image import draw_keypoints, stick

NUMBERS = json.loads((Path(__file__).parent / "model" / "golden_numbers.json").read_text())


@pytest.mark.parametrize("name", NUMBERS["images"])
def test_pictures_are_the_original_ones(name: str) -> None:
    stored = NUMBERS["images"][name]
    points = np.array(stored["points"], np.float32)
    assert zlib.crc32(draw_keypoints(points, 512, 512).tobytes()) == stored["crc32"]
    for eye, wanted in zip(points[:2], stored["sticks"]):
        found = stick(eye, points[2])
        assert (list(found.centre), [found.half_length, 4], found.angle) == (wanted["centre"], wanted["axes"], wanted["angle"])


def test_pictures_of_another_size_are_the_original_ones() -> None:
    images = np.stack([draw_keypoints(np.array(points), 128, 128) for points in NUMBERS["points"]])
    assert zlib.crc32(images.tobytes()) == NUMBERS["guider_images_crc32"]


def test_negative_places_are_cut_towards_zero() -> None:
    found = stick(np.array([-3.0, -4.0], np.float32), np.array([2.0, 3.0], np.float32))
    assert found.centre == (0, 0)
    assert found.angle == -125


def test_the_mirrored_picture_is_red_on_the_left_again() -> None:
    points = np.array([[20.0, 30.0], [40.0, 32.0], [31.0, 50.0]], np.float32)
    picture = draw_keypoints(points, 64, 64, mirrored=True)
    left, right = 63 - 40, 63 - 20
    assert picture[32, left].tolist() == [255, 0, 0]
    assert picture[30, right].tolist() == [0, 255, 0]
    assert picture[50, 63 - 31].tolist() == [0, 0, 255]
    red_and_green_changed = (1, 0, 2)
    assert np.array_equal(picture[:, ::-1, red_and_green_changed], draw_keypoints(points, 64, 64))


def test_what_was_drawn_before_is_wiped_out() -> None:
    points = np.array([[20.0, 30.0], [40.0, 32.0], [31.0, 50.0]], np.float32)
    canvas = np.full((64, 64, 3), 255, np.uint8)
    assert draw_keypoints(points, 64, 64, into=canvas) is canvas
    assert np.array_equal(canvas, draw_keypoints(points, 64, 64))


def test_mouth_corners_are_ignored() -> None:
    five = np.array([[20, 30], [40, 32], [31, 50], [25, 55], [38, 55]], np.float32)
    assert np.array_equal(draw_keypoints(five, 64, 64), draw_keypoints(five[:3], 64, 64))
