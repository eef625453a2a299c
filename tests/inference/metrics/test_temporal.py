"""Temporal LPIPS. Its golden values are in `test_lpips`."""

import numpy as np
import pytest

from inference.metrics.temporal import consecutive, flicker_gap


def test_each_frame_is_compared_with_the_next():
    assert consecutive(lambda one, other: other - one, iter([1.0, 4.0, 9.0])).tolist() == [3.0, 5.0]


def test_one_frame_has_no_steps():
    assert consecutive(lambda one, other: 1.0, [0]).shape == (0,)


def test_videos_that_change_alike_have_no_gap():
    assert flicker_gap(np.array([1.0, 2.0]), np.array([1.0, 2.0])) == 0
    assert flicker_gap(np.array([1.0, 2.0]), np.array([2.0, 0.0])) == 1.5


@pytest.mark.parametrize("steps", [(2, 3), (0, 0)])
def test_videos_without_common_steps_are_an_error(steps):
    with pytest.raises(ValueError, match="of one length"):
        flicker_gap(*(np.zeros(count) for count in steps))
