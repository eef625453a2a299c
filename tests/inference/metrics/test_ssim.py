"""SSIM in the variant that reports name."""

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

from inference.metrics.ssim import ssim
from tests.udfs.nets.metrics_rules import picture_pair


@pytest.mark.parametrize("size", [(64, 80, 3), (11, 40, 4), (33, 12, 5)])
def test_it_is_scikit_images_with_wangs_settings(size):
    one, other = picture_pair(*size)
    theirs = structural_similarity(one, other, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, channel_axis=2, data_range=255)
    assert ssim(one, other) == pytest.approx(theirs, rel=1e-10)


def test_valid_region_of_torchmetrics_map_is_the_same():
    one, other = picture_pair(40, 48, 6)
    tensors = [torch.from_numpy(picture).permute(2, 0, 1)[None].double() for picture in (one, other)]
    _, whole = structural_similarity_index_measure(*tensors, gaussian_kernel=True, sigma=1.5, kernel_size=11, data_range=255.0, return_full_image=True)
    assert ssim(one, other) == pytest.approx(float(whole[..., 5:-5, 5:-5].mean()), rel=1e-6)


def test_equal_frames_have_one():
    assert ssim(*[picture_pair(16, 16)[0]] * 2) == pytest.approx(1, abs=1e-12)


def test_constant_frames_have_the_closed_form():
    one, other = np.full((11, 11, 3), 100, np.uint8), np.full((11, 11, 3), 140, np.uint8)
    assert ssim(one, other) == pytest.approx((2 * 100 * 140 + 2.55**2) / (100**2 + 140**2 + 2.55**2), rel=1e-9)


def test_frames_smaller_than_the_window_or_of_two_sizes_are_an_error():
    frame = np.zeros((10, 20, 3), np.uint8)
    with pytest.raises(ValueError, match="20x10 px is smaller"):
        ssim(frame, frame)
    with pytest.raises(ValueError, match="cannot be compared"):
        ssim(frame, frame[:, :12])
