"""From what the network says of frames to transitions."""

import numpy as np

from udfs.shots.probabilities import Probabilities, joined, runs
from udfs.shots.transitions import Transition
from udfs.shots.windows import Window


def probabilities(frames: int = 100) -> Probabilities:
    return Probabilities(frames, longest_cut=3)


def test_cut_stands_after_the_most_probable_frame_of_a_run():
    said = probabilities()
    said.single[39:42] = [0.6, 0.9, 0.7]
    said.every[40] = 0.8
    assert said.transitions(0.5) == [Transition.cut(41)]


def test_gradual_transition_reaches_to_its_faint_ends_and_a_little_further():
    said = probabilities()
    said.every[50:60] = [0.04, 0.1, 0.4, 0.9, 0.9, 0.9, 0.9, 0.9, 0.3, 0.02]
    assert said.transitions(0.5) == [Transition(49, 61, "gradual")]


def test_faint_run_alone_is_nothing():
    said = probabilities()
    said.every[50:60] = 0.4
    assert said.transitions(0.5) == []


def test_cut_inside_a_fade_is_part_of_the_fade():
    said = probabilities()
    said.every[30:50] = 0.8
    said.single[40] = 0.9
    assert said.transitions(0.5) == [Transition(28, 52, "gradual")]


def test_windows_overlap_by_their_higher_value_and_margins_do_not_count():
    said = probabilities()
    said.note(Window(0, 8, 1, 2), np.full(8, 0.3, np.float32), np.full(8, 0.2, np.float32))
    said.note(Window(4, 8, 1, 2), np.full(8, 0.1, np.float32), np.full(8, 0.6, np.float32))
    assert np.allclose(said.single[:11], [0, 0, 0.3, 0.3, 0.3, 0.3, 0.1, 0.1, 0.1, 0.1, 0])
    assert np.allclose(said.every[2:10], [0.2, 0.2, 0.2, 0.2, 0.6, 0.6, 0.6, 0.6])
    assert said.asked.tolist()[:11] == [False] * 2 + [True] * 8 + [False]


def test_window_that_leaves_frames_out_speaks_for_those_too_but_not_of_cuts():
    said = probabilities()
    said.note(Window(-4, 10, 3, 1), np.ones(10, np.float32), np.linspace(0.1, 1.0, 10).astype(np.float32))
    assert said.single.max() == 0
    assert np.allclose(said.every[:5], [0.2, 0.2, 0.3, 0.3, 0.3])


def test_runs_of_true_values():
    assert runs(np.array([True, False, True, True])) == [(0, 1), (2, 4)]
    assert runs(np.zeros(0, bool)) == []


def test_overlapping_gradual_transitions_are_one():
    assert joined([Transition(0, 10, "gradual"), Transition(8, 20, "gradual")]) == [Transition(0, 20, "gradual")]
    assert joined([Transition.cut(9), Transition(8, 20, "gradual")]) == [Transition(8, 20, "gradual")]
    assert joined([Transition.cut(9), Transition.cut(12)]) == [Transition.cut(9), Transition.cut(12)]
