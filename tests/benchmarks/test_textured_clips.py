"""Clips without files, and what scorers are shown of them."""

import numpy as np

from benchmarks import bfloat16, textured_clips
from udfs.scorer import Clip


class Means:
    """Wants a few frames and keeps their mean."""

    def plan(self, clip: Clip, pts):
        assert (clip.end_s, len(pts)) == (5.0, 125)
        return [0, 60, 124]

    def reduce(self, clip: Clip, frame, index):
        assert frame.shape == (clip.height_px, clip.width_px, 3) and frame.dtype == np.uint8
        return frame.mean()


def test_a_clip_is_a_function_of_its_seed_and_moves():
    one, again, other = (textured_clips.watched(Means(), seed) for seed in (3, 3, 4))
    assert one.indices == [0, 60, 124] and one.times_s == [0, 2.4, 4.96]
    assert one.frames == again.frames != other.frames
    assert len(set(one.frames)) == 3


def test_all_numbers_of_a_clip_are_told_by_their_scorer_and_name():
    clip = textured_clips.watched(Means(), 0)
    assert bfloat16._by_name("dover", [clip], [{"technical": 1.0}]) == {("textured-0", "dover.technical"): 1.0}


def test_flips_are_shown_for_each_value(capsys):
    names = ("dover.aesthetic", "dover.technical", "dover.dover_scores", "cotracker.cotracker_ratio")
    exact, rough = ({(clip, name): value for name in names for clip, value in values.items()} for values in ({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 1.9}))
    bfloat16.show_flips(exact, rough, "made-up")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("| dover.", "| cotracker."))]
    assert len(lines) == 4 and all("1.0e-01" in line and "the median, 2: 1" in line for line in lines)
