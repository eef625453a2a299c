"""Frames are chosen by time."""

from udfs.sampling import middles, nearest, nearest_each


def test_nearest_takes_the_earlier_of_two_equally_near_frames():
    assert [nearest([0.0, 1.0, 2.0], time_s) for time_s in (-1, 0.4, 0.5, 0.6, 1.5, 9)] == [0, 0, 0, 1, 1, 2]


def test_variable_frame_rate_is_sampled_by_time_not_by_count():
    pts = [0.0, 0.1, 0.2, 0.3, 2.0, 2.9]
    assert nearest_each(pts, (0.0, 1.0, 2.0)) == [0, 3, 4]


def test_a_frame_nearest_to_two_times_is_taken_once():
    assert nearest_each([0.0, 5.0], (0.0, 1.0, 2.0, 4.0)) == [0, 1]


def test_no_frames_give_no_indices():
    assert nearest_each([], (0.0, 1.0)) == []


def test_middles_divide_the_clip_into_equal_parts():
    assert middles(4.0, 0.5, 10) == [1.0, 3.0]
    assert middles(0.1, 2.0, 10) == [0.05]
    assert middles(100.0, 2.0, 4) == [12.5, 37.5, 62.5, 87.5]
