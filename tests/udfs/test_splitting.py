"""Long shots are split where it is quietest, short ones left out."""

import numpy as np
import pytest

from udfs.speech import STEP_S, Heard
from udfs.splitting import Lengths, split

RATE = 25
LENGTHS = Lengths(least_s=3.0, most_s=30.0)


def borders(seconds: float) -> np.ndarray:
    return np.arange(round(seconds * RATE) + 1) / RATE


def heard(seconds: float, quiet_s: tuple[float, ...] = (), spoken: bool = False) -> Heard:
    steps = int(seconds / STEP_S)
    loudness = np.full(steps, 0.2, np.float32)
    for moment in quiet_s:
        loudness[int((moment - 0.3) / STEP_S) : int((moment + 0.3) / STEP_S)] = 0.01
    return Heard(np.full(steps, 1.0 if spoken else 0.0, np.float32), loudness)


def seconds_of(pieces: list[tuple[int, int]]) -> list[tuple[float, float]]:
    return [(first / RATE, after / RATE) for first, after in pieces]


def test_shot_within_limits_stays_whole():
    assert seconds_of(split(borders(30.0), 0, 750, LENGTHS, None)) == [(0.0, 30.0)]


def test_short_shot_is_left_out():
    assert split(borders(2.96), 0, 74, LENGTHS, None) == []


def test_shot_of_exactly_the_least_length_is_kept_at_any_frame_rate():
    ntsc = np.arange(91) * 1001 / 30000
    assert split(ntsc, 0, 90, Lengths(90 * 1001 / 30000, 0.0), None) == [(0, 90)]


def test_long_shot_is_split_at_the_quietest_points():
    pieces = seconds_of(split(borders(70.0), 0, 1750, LENGTHS, heard(70.0, (22.0, 45.0))))
    assert [round(end) for _, end in pieces] == [22, 45, 70]


def test_pieces_join_and_keep_the_limits():
    pieces = split(borders(200.0), 100, 5000, LENGTHS, heard(200.0))
    assert pieces[0][0] == 100 and pieces[-1][1] == 5000
    assert all(before[1] == after[0] for before, after in zip(pieces, pieces[1:]))
    assert all(3.0 <= (after - first) / RATE <= 30.0 for first, after in pieces)


def test_border_is_outside_speech_even_where_speech_is_softer():
    sound = heard(40.0, quiet_s=(20.0,))
    sound.probabilities[int(16 / STEP_S) : int(24 / STEP_S)] = 1.0
    (_, border), _ = seconds_of(split(borders(40.0), 0, 1000, LENGTHS, sound))
    assert not 16.0 <= border <= 24.0


def test_rest_is_never_too_short_where_that_can_be_avoided():
    pieces = seconds_of(split(borders(31.0), 0, 775, LENGTHS, heard(31.0, (29.8,))))
    assert len(pieces) == 2 and pieces[1][1] - pieces[1][0] >= 3.0


def test_without_sound_pieces_are_about_equal():
    assert seconds_of(split(borders(70.0), 0, 1750, LENGTHS, None)) == [
        (0.0, pytest.approx(70 / 3, abs=0.1)),
        (pytest.approx(70 / 3, abs=0.1), pytest.approx(140 / 3, abs=0.1)),
        (pytest.approx(140 / 3, abs=0.1), 70.0),
    ]


def test_no_limits_keep_everything_whole():
    assert split(borders(500.0), 0, 12500, Lengths(0.0, 0.0), None) == [(0, 12500)]


def test_limits_that_fit_nothing_drop_the_rest():
    pieces = seconds_of(split(borders(35.0), 0, 875, Lengths(20.0, 30.0), None))
    assert len(pieces) == 1 and 20.0 <= pieces[0][1] <= 30.0


def test_frames_that_stand_longer_than_the_limit_are_left_out():
    slides = np.array([0.0, 100.0, 110.0, 125.0, 185.0])
    assert split(slides, 0, 4, LENGTHS, None) == [(1, 3)]
