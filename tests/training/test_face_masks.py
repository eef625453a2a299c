"""Masks of the mouth and the face."""

import json
import zlib
from pathlib import Path

import numpy as np

from training.face_masks import Box, box_mask, lip_box

LIPS = json.loads((Path(__file__).parent / "model" / "golden_numbers.json").read_text())["lips"]
IMAGE, LATENTS = (512, 512), (64, 64)


def test_the_mask_of_a_mouth_is_the_original_one() -> None:
    mask = box_mask(lip_box(np.array(LIPS["landmarks"], np.float32)), IMAGE, LATENTS)
    assert zlib.crc32(mask.tobytes()) == LIPS["mask_crc32"]


def test_a_lip_box_is_twice_the_mouth_about_the_same_centre() -> None:
    assert lip_box(np.array([[100.9, 200.2], [140.0, 220.7]])) == Box(80.0, 190.0, 160.0, 230.0)


def test_a_mouth_at_the_edge_still_has_a_mask() -> None:
    box = lip_box(np.array(LIPS["landmarks_at_the_edge"], np.float32))
    assert min(box) < 0
    mask = box_mask(box, IMAGE, LATENTS)
    rows, columns = np.nonzero(mask > 127)
    assert rows.size
    assert rows.max() <= box.bottom / 8
    assert columns.max() <= box.right / 8


def test_a_box_outside_the_image_is_an_empty_mask() -> None:
    for box in (Box(-90, -80, -10, -5), Box(600, 100, 700, 200)):
        assert box_mask(box, IMAGE, LATENTS).max() == 0


def test_edges_belong_to_the_box() -> None:
    mask = box_mask(Box(2, 3, 4, 5), (8, 9), (8, 9))
    assert np.argwhere(mask == 255).tolist() == [[row, column] for row in (3, 4, 5) for column in (2, 3, 4)]
