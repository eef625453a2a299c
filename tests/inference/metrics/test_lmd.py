"""Landmark distance in each convention."""

import numpy as np
import pytest

from inference.metrics.lmd import FACE, lmd, lmd_over_interocular
from tests.inference.metrics import golden_cases
from tests.udfs.nets.metrics_rules import landmark_tracks


def test_tracks_have_the_golden_distances(golden, outside):
    assert outside(golden_cases.landmark_deviations(golden)) == []


def test_a_moved_head_counts_only_when_not_centred():
    real, _ = landmark_tracks(3)
    assert lmd(real + [3.0, 4.0], real) == pytest.approx(0, abs=1e-12)
    assert lmd(real + [3.0, 4.0], real, FACE, centred=False) == pytest.approx(5)


def test_the_frames_size_does_not_count_over_the_eyes_distance():
    real, generated = landmark_tracks(3)
    assert lmd(4 * generated, 4 * real) == pytest.approx(4 * lmd(generated, real))
    assert lmd_over_interocular(4 * generated, 4 * real) == pytest.approx(lmd_over_interocular(generated, real))


@pytest.mark.parametrize("shape", [(2, 68, 2), (3, 67, 2), (0, 68, 2)])
def test_tracks_that_do_not_match_are_an_error(shape):
    with pytest.raises(ValueError, match="two tracks"):
        lmd(np.zeros(shape), np.zeros((3, 68, 2)) if shape[0] else np.zeros(shape))
