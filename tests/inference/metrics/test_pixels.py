"""L1 and PSNR, frame by frame."""

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio
from torchmetrics.functional.image import peak_signal_noise_ratio as torchmetrics_psnr

from inference.metrics.pixels import l1, psnr
from tests.inference.metrics import golden_cases
from tests.udfs.nets.metrics_rules import picture_pair


def test_pictures_have_the_golden_values(golden, outside):
    assert outside(golden_cases.picture_deviations(golden)) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_psnr_is_that_of_scikit_image_and_torchmetrics(seed):
    one, other = picture_pair(40, 33, seed)
    assert psnr(one, other) == pytest.approx(peak_signal_noise_ratio(one, other), rel=1e-12)
    theirs = torchmetrics_psnr(*(torch.from_numpy(picture).double() for picture in (one, other)), data_range=255.0)
    assert psnr(one, other) == pytest.approx(float(theirs), rel=1e-6)


def test_differences_do_not_wrap_around():
    dark, light = np.full((4, 4, 3), 10, np.uint8), np.full((4, 4, 3), 250, np.uint8)
    assert l1(dark, light) == l1(light, dark) == pytest.approx(240 / 255)
    assert psnr(dark, light) == pytest.approx(20 * math.log10(255 / 240))


def test_equal_frames_are_infinitely_alike():
    frame = picture_pair(20, 20)[0]
    assert psnr(frame, frame) == math.inf and l1(frame, frame) == 0


def test_frames_of_two_sizes_are_an_error():
    frame = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match="cannot be compared"):
        l1(frame, frame[:4])
