"""Fréchet distance: FID and FVD."""

import numpy as np
import pytest
import torch
from torchmetrics.image.fid import FrechetInceptionDistance

from inference.metrics.frechet import FID_DDOF, FVD_DDOF, Moments, frechet_distance
from tests.inference.metrics import golden_cases
from tests.udfs.nets.metrics_rules import features


class Passed(torch.nn.Module):
    """Features as they come."""

    num_features = 24

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        return given


def with_moments(mean: np.ndarray, covariance: np.ndarray, n: int = 1000, ddof: int = FID_DDOF) -> Moments:
    return Moments(n, mean, covariance * (n - ddof))


def test_distances_of_published_implementations(golden, outside):
    assert outside(golden_cases.frechet_deviations(golden)) == []


def test_it_is_that_of_torchmetrics_with_the_same_features():
    real, generated = features(120, 24, 5), features(90, 24, 6)
    theirs = FrechetInceptionDistance(feature=Passed(), normalize=True).set_dtype(torch.float64)
    theirs.update(torch.from_numpy(real).double(), real=True)
    theirs.update(torch.from_numpy(generated).double(), real=False)
    ours = frechet_distance(Moments.of(generated), Moments.of(real), ddof=FID_DDOF)
    assert ours == pytest.approx(float(theirs.compute()), rel=1e-6)


@pytest.mark.parametrize("ddof", [FID_DDOF, FVD_DDOF])
def test_independent_features_have_the_closed_form(ddof):
    random = np.random.default_rng(2)
    means, deviations = random.standard_normal((2, 40)), random.uniform(0.1, 3, (2, 40))
    one, other = (with_moments(mean, np.diag(deviation**2), ddof=ddof) for mean, deviation in zip(means, deviations))
    expected = np.square(means[0] - means[1]).sum() + np.square(deviations[0] - deviations[1]).sum()
    assert frechet_distance(one, other, ddof=ddof) == pytest.approx(expected, rel=1e-10)


def test_a_scaled_and_moved_set_has_the_closed_form():
    """x -> 3 x + 1 is the optimal transport itself: |2 m + 1|² + 4 Tr C."""
    moments = Moments.of(features(200, 10).astype(np.float64))
    moved = Moments.of(3 * features(200, 10).astype(np.float64) + 1)
    expected = np.square(2 * moments.mean + 1).sum() + 4 * np.trace(moments.covariance(1))
    assert frechet_distance(moments, moved, ddof=1) == pytest.approx(expected, rel=1e-9)


def test_a_set_has_no_distance_from_itself_even_with_fewer_items_than_features():
    few = Moments.of(features(5, 64))
    assert 0 <= frechet_distance(few, few, ddof=1) < 1e-6
    other = Moments.of(features(6, 64, 1))
    assert frechet_distance(few, other, ddof=1) == pytest.approx(frechet_distance(other, few, ddof=1), rel=1e-12)


def test_one_item_has_no_covariance():
    one = Moments.of(features(1, 3))
    with pytest.raises(ValueError, match="more than 1"):
        frechet_distance(one, one, ddof=1)


@pytest.mark.parametrize("values", [np.zeros((0, 3)), np.zeros(3), np.array([[1.0, np.nan]])])
def test_no_features_or_broken_ones_are_an_error(values):
    with pytest.raises(ValueError, match="finite features"):
        Moments.of(values)
