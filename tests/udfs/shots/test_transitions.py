"""Shots are what lies between transitions."""

from udfs.shots.transitions import Shot, Transition, shots_between


def frames(shots: list[Shot]) -> list[tuple[int, int]]:
    assert [shot.index for shot in shots] == list(range(len(shots)))
    return [(shot.start_frame, shot.end_frame) for shot in shots]


def test_video_without_transition_is_one_shot():
    assert frames(shots_between([], 100)) == [(0, 100)]


def test_hard_cut_loses_no_frame():
    assert frames(shots_between([Transition.cut(40)], 100)) == [(0, 40), (40, 100)]


def test_frames_of_a_gradual_transition_belong_to_no_shot():
    assert frames(shots_between([Transition(30, 50, "gradual")], 100)) == [(0, 30), (50, 100)]


def test_order_does_not_matter():
    assert frames(shots_between([Transition.cut(60), Transition(10, 20, "gradual")], 100)) == [(0, 10), (20, 60), (60, 100)]


def test_transitions_at_both_ends_leave_no_empty_shot():
    assert frames(shots_between([Transition(0, 10, "gradual"), Transition(90, 104, "gradual")], 100)) == [(10, 90)]


def test_cut_at_the_end_of_a_gradual_transition_leaves_no_empty_shot():
    assert frames(shots_between([Transition(30, 50, "gradual"), Transition.cut(50)], 100)) == [(0, 30), (50, 100)]


def test_video_that_is_all_transition_has_no_shot():
    assert frames(shots_between([Transition(0, 100, "gradual")], 100)) == []
