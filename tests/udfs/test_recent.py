from dataclasses import replace

import pytest

from udfs.recent import RecentPlans
from udfs.scorer import Clip

CLIP = Clip("a", "v", "file", 0.0, 1.0, 8, 8, 25.0, False)


def test_clips_of_one_id_but_other_spans_are_told_apart():
    plans = RecentPlans[int]()
    plans.keep(CLIP, 1)
    plans.keep(replace(CLIP, end_s=2.0), 2)
    assert (plans.of(CLIP), plans.of(replace(CLIP, end_s=2.0))) == (1, 2)


def test_only_the_last_ones_are_kept():
    plans = RecentPlans[int](most=2)
    clips = [replace(CLIP, clip_id=name) for name in "abc"]
    for number, clip in enumerate(clips):
        plans.keep(clip, number)
    assert [plans.of(clip) for clip in clips[1:]] == [1, 2]
    with pytest.raises(KeyError):
        plans.of(clips[0])
