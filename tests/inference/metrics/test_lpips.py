"""LPIPS from the features of a network."""

import numpy as np
import pytest

from inference.metrics import lpips
from tests.inference.metrics import golden_cases


@pytest.mark.parametrize("kind", ["alex", "vgg"])
def test_drawn_features_and_real_heads_give_the_golden_distance(golden, outside, kind):
    assert outside(golden_cases.lpips_head_deviations(golden, kind)) == []


def test_pictures_through_a_trunk_give_the_golden_distance(golden, outside):
    assert outside(golden_cases.lpips_deviations(golden, "alex")) == []


def test_grey_levels_become_the_networks_input():
    picture = np.array([[[0, 255, 128]]], np.uint8)[None]
    expected = [(-1 + 0.030) / 0.458, (1 + 0.088) / 0.448, (256 / 255 - 1 + 0.188) / 0.450]
    assert lpips.network_input(picture).ravel() == pytest.approx(expected, abs=1e-6)


def test_pairs_of_a_batch_do_not_touch():
    random = np.random.default_rng(0)
    one, other = ([random.random((3, 4, 5, 6), np.float32)] for _ in "ab")
    heads = [random.random(4, np.float32)]
    together = lpips.between_features(one, other, heads)
    alone = [lpips.between_features([one[0][row : row + 1]], [other[0][row : row + 1]], heads)[0] for row in range(3)]
    assert together == pytest.approx(alone, rel=1e-6)


def test_features_that_point_the_same_way_have_no_distance():
    layer = np.random.default_rng(1).random((1, 3, 2, 2)).astype(np.float32)
    assert lpips.between_features([layer], [5 * layer], [np.ones(3, np.float32)])[0] == pytest.approx(0, abs=1e-12)


def test_a_layer_too_few_is_an_error():
    layer, head = np.ones((1, 3, 2, 2), np.float32), np.ones(3, np.float32)
    with pytest.raises(ValueError):
        lpips.by_layer([layer], [layer, layer], [head])
