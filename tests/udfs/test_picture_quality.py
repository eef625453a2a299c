"""Measures of one picture against values computed by hand."""

import numpy as np
import pytest

from udfs import picture_quality as quality


def flat(level: int, height: int = 64, width: int = 96) -> np.ndarray:
    return np.full((height, width), level, np.uint8)


def test_flat_picture_has_no_sharpness_noise_or_contrast_and_blockiness_one():
    picture = flat(100)
    assert (quality.sharpness(picture), quality.noise(picture), quality.contrast(picture), quality.blockiness(picture)) == (0, 0, 0, 1)
    assert quality.exposure(picture) == pytest.approx(100 / 255)


def test_sharpness_of_a_single_dot_is_the_variance_of_its_laplacian():
    picture = flat(0, 10, 10)
    picture[5, 5] = 10
    # -40 at the dot, 10 at its four neighbours, 0 elsewhere: mean 0, squares 1600 + 4 * 100 over 100 pixels
    assert quality.sharpness(picture) == pytest.approx(20.0)


def test_sharpness_falls_when_a_picture_is_blurred():
    cv2 = pytest.importorskip("cv2")
    picture = np.random.default_rng(0).integers(0, 256, (120, 160), dtype=np.uint8)
    assert quality.sharpness(cv2.GaussianBlur(picture, (0, 0), 3)) < 0.05 * quality.sharpness(picture)


@pytest.mark.parametrize("sigma", [2.0, 8.0])
def test_noise_recovers_the_deviation_of_white_noise(sigma):
    picture = np.clip(np.random.default_rng(1).normal(128, sigma, (400, 400)), 0, 255).round().astype(np.uint8)
    assert quality.noise(picture) == pytest.approx(sigma, rel=0.05)


def test_noise_of_a_smooth_ramp_is_nothing():
    assert quality.noise(np.tile(np.arange(200, dtype=np.uint8), (100, 1))) == 0


def test_noise_of_a_picture_without_an_inside_is_zero():
    assert quality.noise(flat(3, 2, 50)) == 0


def test_contrast_is_the_distance_of_the_5th_and_95th_percentile():
    picture = np.arange(100, dtype=np.uint8).reshape(10, 10)
    # 5 pixels are at most 4, 95 at most 94
    assert quality.contrast(picture) == pytest.approx(90 / 255)


def test_blockiness_sees_an_8x8_grid_wherever_it_begins():
    blocks = np.kron(np.random.default_rng(2).integers(100, 120, (12, 16)), np.ones((8, 8))).astype(np.uint8)
    assert quality.blockiness(blocks) > 20
    assert quality.blockiness(blocks[3:, 5:]) == pytest.approx(quality.blockiness(blocks), rel=0.2)


def test_blockiness_of_unblocked_texture_is_about_one():
    texture = np.random.default_rng(3).integers(0, 256, (480, 640), dtype=np.uint8)
    assert quality.blockiness(texture) == pytest.approx(1.0, abs=0.02)


def test_blockiness_of_known_steps():
    row = np.repeat(np.arange(8, dtype=np.uint8) * 10, 8)
    picture = np.tile(row, (64, 1))
    # across: steps of 10 at one phase of eight, 0 inside -> (10 - 10/8... counted) / 0.1; down: flat -> 1
    steps = np.abs(np.diff(row.astype(int)))[:56].reshape(-1, 8).mean(axis=0)
    assert sorted(steps) == [0] * 7 + [10]
    assert quality.blockiness(picture) == pytest.approx(((10 + 0.1) / 0.1 + 1) / 2)


def test_letterbox_is_the_share_of_the_dark_border():
    picture = np.zeros((100, 200), np.uint8)
    picture[10:90, 20:180] = 128
    assert quality.letterbox(*quality.lit_shares(picture)) == pytest.approx(1 - 0.8 * 0.8)


def test_picture_without_border_has_no_letterbox_and_a_black_one_is_all_border():
    assert quality.letterbox(*quality.lit_shares(flat(128))) == 0
    assert quality.letterbox(*quality.lit_shares(flat(10))) == 1


def test_dark_wall_around_a_narrow_head_is_no_letterbox():
    cv2 = pytest.importorskip("cv2")
    picture = np.zeros((200, 320), np.uint8)
    cv2.ellipse(picture, (160, 130), (50, 90), 0, 0, 360, 200, -1)
    assert quality.letterbox(*quality.lit_shares(picture)) == 0
