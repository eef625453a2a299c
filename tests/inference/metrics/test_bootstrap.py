"""Intervals around metrics."""

import math

import numpy as np
import pytest

from inference.metrics import bootstrap
from inference.metrics.bootstrap import mean_interval, set_interval
from inference.metrics.frechet import Moments, frechet_distance
from tests.udfs.nets.metrics_rules import features


def test_a_mean_of_many_has_the_normal_interval():
    values = np.random.default_rng(0).normal(5, 2, 400)
    found, half = mean_interval(values, resamples=4000), 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean()) and found.n == 400
    assert found.low == pytest.approx(values.mean() - half, abs=0.02)
    assert found.high == pytest.approx(values.mean() + half, abs=0.02)


def test_the_true_mean_lies_inside_about_as_often_as_promised():
    random = np.random.default_rng(1)
    intervals = [mean_interval(random.exponential(1, 60), resamples=300, level=0.9, seed=trial) for trial in range(200)]
    inside = sum(interval.low <= 1 <= interval.high for interval in intervals) / 200
    assert 0.82 < inside < 0.95


def test_same_seed_gives_the_same_interval():
    values = np.random.default_rng(2).random(30)
    assert mean_interval(values) == mean_interval(values)
    assert mean_interval(values).low != mean_interval(values, seed=1).low


def test_all_resamples_are_drawn_however_few_fit_at_once(monkeypatch):
    drawn = []
    monkeypatch.setattr(bootstrap, "_interval", lambda value, found, n, level: drawn.append(found.shape))
    monkeypatch.setattr(bootstrap, "_AT_ONCE", 70)
    mean_interval(np.arange(30.0), resamples=7)
    assert drawn == [(7,)]


def test_one_item_has_no_interval():
    found = mean_interval(np.array([3.0]))
    assert (found.value, found.low, found.high, found.n) == (3.0, None, None, 1)
    assert set_interval(lambda chosen: 2.0, 1).low is None


def test_infinite_values_do_not_become_nan():
    found = mean_interval(np.array([30.0, 31.0, math.inf]))
    assert found.value == found.high == math.inf and found.low >= 30


@pytest.mark.parametrize("values", [[], [1.0, math.nan]])
def test_no_values_or_broken_ones_are_an_error(values):
    with pytest.raises(ValueError, match="at least one"):
        mean_interval(np.array(values))


def test_a_number_of_a_set_is_drawn_with_its_items():
    generated, real = features(80, 6), Moments.of(features(100, 6, 1))
    found = set_interval(lambda chosen: frechet_distance(Moments.of(generated[chosen]), real, ddof=1), 80, resamples=200)
    assert found.value == frechet_distance(Moments.of(generated), real, ddof=1)
    assert found.low < found.high and found.n == 80
