"""When a batch of generate is struck, and what makes that a bad one."""

from dataclasses import replace

import pytest

from benchmarks.killed_generate import Outcome, moment

GOOD = Outcome(struck=True, then=3, torn=0, differ=0, missing=0, twice=0)


@pytest.mark.parametrize("kills", [1, 3, 4])
def test_no_kill_strikes_before_the_first_video_or_after_the_last(kills):
    videos = 8
    there = [next(number for number in range(videos + 1) if number >= moment(kill, kills) * videos) for kill in range(kills)]
    assert len(set(there)) == kills and min(there) >= 1 and max(there) < videos


def test_one_kill_strikes_in_the_middle():
    assert moment(0, 1) == 0.5 and [round(moment(kill, 3), 2) for kill in range(3)] == [0.17, 0.5, 0.83]


@pytest.mark.parametrize("change", [{"struck": False}, {"torn": 1}, {"differ": 1}, {"missing": 1}, {"missing": -1}, {"twice": 1}], ids=str)
def test_a_kill_is_bad_when_it_struck_nothing_or_anything_is_wrong_after_it(change):
    assert GOOD.good and not replace(GOOD, **change).good
