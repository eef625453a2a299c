"""Boxes of lips from mouth corners are about those of landmarks."""

import numpy as np
import pytest

from udfs.lips import lip_box, mouth_outline

UPRIGHT = np.array([[200, 200], [300, 200], [250, 250], [210, 300], [290, 300]], np.float32)


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    return (points - 250) @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) + 250


def test_lips_lie_between_the_corners_and_a_little_lower():
    box = lip_box(mouth_outline(UPRIGHT))
    assert (box.left, box.right) == (210 - 40, 290 + 40)
    assert box.bottom - box.top == pytest.approx(80, abs=4)
    assert 300 < (box.top + box.bottom) / 2 < 315


def test_tilted_head_has_a_higher_box():
    upright, tilted = (lip_box(mouth_outline(points)) for points in (UPRIGHT, turned(UPRIGHT, 45)))
    assert tilted.bottom - tilted.top > 1.2 * (upright.bottom - upright.top)


def test_turning_to_a_side_leaves_the_height():
    aside = UPRIGHT.copy()
    aside[3:, 0] = 230, 250
    narrow, wide = lip_box(mouth_outline(aside)), lip_box(mouth_outline(UPRIGHT))
    assert narrow.bottom - narrow.top == pytest.approx(wide.bottom - wide.top, abs=2)
    assert narrow.right - narrow.left < 0.5 * (wide.right - wide.left)
