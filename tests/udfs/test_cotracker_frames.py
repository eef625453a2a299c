"""Frames of the scorer `cotracker`, against the facts of talkvid.md §3.2 and cotracker3.md §13."""

import pytest

from udfs.cotracker_frames import paper_windows, released_segments


def constant(count: int, fps: float) -> list[float]:
    return [index / fps for index in range(count)]


def test_five_seconds_at_24_fps_are_ten_frames_twelve_apart():
    assert released_segments(constant(121, 24), 24, 121 / 24) == [[4 + 12 * number for number in range(10)]]


@pytest.mark.parametrize(("fps", "step"), [(24.0, 12), (24000 / 1001, 11), (25.0, 12), (30000 / 1001, 14), (30.0, 15)])
def test_step_is_half_a_second_rounded_down(fps, step):
    (segment,) = released_segments(constant(round(5 * fps), fps), fps, 5.0)
    assert {after - before for before, after in zip(segment, segment[1:])} == {step}


@pytest.mark.parametrize(("duration_s", "starts"), [(6.0, [5]), (10.0, [5, 105]), (12.5, [5, 86, 167]), (20.0, [5, 180, 355])])
def test_longer_clips_have_first_middle_and_last_segment(duration_s, starts):
    segments = released_segments(constant(int(duration_s * 25), 25), 25, duration_s)
    assert [segment[0] for segment in segments] == starts
    assert all(len(segment) <= 14 for segment in segments)


def test_fifty_frames_a_second_are_thinned_to_thirty_first():
    (segment,) = released_segments(constant(250, 50), 50, 5.0)
    assert segment == [int((6 + 15 * number) * 50 / 30) for number in range(10)]


def test_ends_of_a_clip_of_less_than_a_second_are_kept():
    assert released_segments(constant(20, 25), 25, 0.8) == [[0, 12]]


def test_one_frame_is_a_segment_and_none_is_none():
    assert released_segments([0.0], 25, 0.04) == [[0]]
    assert released_segments([], 25, 0.0) == []


@pytest.mark.parametrize("fps", [0.5, 1.0, 4.0])
def test_slow_footage_is_cut_nowhere_and_stepped_by_at_least_one_frame(fps):
    (segment,) = released_segments(constant(6, fps), fps, min(6.0, 6 / fps))
    assert segment[0] == 0
    assert all(after > before for before, after in zip(segment, segment[1:]))


def test_variable_frame_rate_is_followed_by_time():
    times_s = [index / 10 for index in range(20)] + [2 + index / 40 for index in range(80)]
    (segment,) = released_segments(times_s, 25, 4.0)
    picked_s = [times_s[index] for index in segment]
    assert all(0.4 <= after - before <= 0.6 for before, after in zip(picked_s, picked_s[1:]))


def test_paper_windows_are_sixteen_frames_every_eight():
    windows = paper_windows(constant(125, 25), 100)
    assert [window[0] for window in windows] == list(range(0, 110, 8))
    assert all(window == list(range(window[0], window[0] + 16)) for window in windows)


def test_few_paper_windows_are_spread_over_the_clip():
    windows = paper_windows(constant(125, 25), 3)
    assert [window[0] for window in windows] == [0, 48, 104]
    assert paper_windows(constant(5, 25), 3) == [[0, 1, 2, 3, 4]]
    assert paper_windows(constant(125, 25), 0) == []


def test_frames_a_second_are_a_setting():
    (segment,) = released_segments(constant(125, 25), 25, 5.0, frames_per_s=5.0)
    assert {after - before for before, after in zip(segment, segment[1:])} == {5}
