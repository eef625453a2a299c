"""From videos to groups: values, sizes, intervals, and reasons."""

import numpy as np
import pytest

from inference.metrics.frechet import FID_DDOF, FVD_DDOF, Moments, frechet_distance
from inference.metrics.gauges import Value
from inference.metrics.groups import _drawn_distance, feature_distance, fewer, of_features, of_values


def test_a_group_is_the_mean_of_those_that_have_a_value():
    group = of_values([Value(1.0), Value(3.0), Value(reason="no sound")], 200)
    assert (group.value, group.n, group.clips, group.resamples) == (2.0, 2, 3, 200)
    assert 1.0 <= group.low <= group.value <= group.high <= 3.0


def test_without_any_value_there_is_the_commonest_reason_and_no_number():
    group = of_values([Value(reason="no sound"), Value(reason="no face"), Value(reason="no sound")], 200)
    assert (group.value, group.low, group.n, group.clips) == (None, None, 0, 3)
    assert group.reason == "no sound (2 of 3 videos)"


@pytest.mark.parametrize(("rows", "ddof"), [((30, 24), FID_DDOF), ((30, 24), FVD_DDOF), ((90, 80), FID_DDOF), ((20, 90), FVD_DDOF)])
def test_the_small_matrix_gives_the_same_distance(rows, ddof):
    random = np.random.default_rng(1)
    one, other = (random.standard_normal((count, 40)).astype(np.float32) for count in rows)
    expected = frechet_distance(Moments.of(one), Moments.of(other), ddof=ddof)
    assert feature_distance(one, other + 1, ddof) == pytest.approx(frechet_distance(Moments.of(one), Moments.of(other + 1), ddof=ddof), rel=1e-4)
    assert feature_distance(one, other, ddof) == pytest.approx(expected, rel=1e-4)


def test_the_distance_of_sets_is_that_of_all_features_and_its_interval_draws_videos():
    random = np.random.default_rng(2)
    items = [{"generated": random.standard_normal((5, 8)) + 1, "real": random.standard_normal((5, 8))} for _ in range(6)]
    group = of_features([*items, {}], FID_DDOF, 60)
    whole = [Moments.of(np.concatenate([item[side] for item in items])) for side in ("generated", "real")]
    assert group.value == pytest.approx(frechet_distance(*whole, ddof=FID_DDOF), rel=1e-4)
    assert group.sides == (30, 30) and of_features([*items, {"real": items[0]["real"]}], FID_DDOF, 5).sides == (30, 35)
    assert (group.n, group.clips, group.resamples) == (6, 7, 60) and group.low < group.value < group.high


@pytest.mark.parametrize("rows", [12, 70])
def test_a_drawn_set_has_the_distance_of_its_rows_repeated(rows):
    random = np.random.default_rng(4)
    one, other = random.standard_normal((2, rows, 20))
    times = random.integers(0, 4, (2, rows))
    expected = frechet_distance(*(Moments.of(np.repeat(found, count, 0)) for found, count in zip((one, other), times)), ddof=1)
    assert _drawn_distance(one, times[0], other, times[1], 1) == pytest.approx(expected, rel=1e-4)


def test_one_sided_or_single_features_have_a_reason():
    one = {"generated": np.ones((1, 4)), "real": np.zeros((1, 4))}
    assert "covariance" in of_features([one], FVD_DDOF, 10).reason
    assert "no real videos" in of_features([{"generated": np.ones((3, 4))}], FID_DDOF, 10).reason
    assert of_features([{}], FID_DDOF, 10, [Value(reason="too short")]).reason == "too short"
    alone = of_features([{"generated": np.eye(4), "real": np.zeros((4, 4))}], FID_DDOF, 10)
    assert alone.value > 0 and alone.low is None and alone.resamples == 0


def test_large_sets_are_drawn_less_often():
    assert [fewer(1000, side) for side in (10, 256, 400, 2048)] == [1000, 1000, 262, 20]
    assert fewer(5, 2048) == 5
