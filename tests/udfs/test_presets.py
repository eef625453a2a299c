"""Presets and a user's changes to them."""

import pytest

from schemas.errors import UsageError
from udfs.presets import PRESETS, make_preset


def test_without_changes_a_preset_is_itself():
    assert all(make_preset(name) == preset for name, preset in PRESETS.items())


def test_another_detector_brings_its_usual_threshold():
    assert make_preset("default", detector="content").threshold == 27.0
    assert make_preset("talkvid", detector="transnet").threshold == 0.5
    assert make_preset("talkvid", detector="histogram").threshold == 0.085
    assert make_preset("default", detector="content", threshold=20.0).threshold == 20.0


def test_zero_lengths_and_no_speech_are_kept():
    preset = make_preset("default", min_s=0.0, max_s=0.0, speech=False)
    assert (preset.min_s, preset.max_s, preset.speech) == (0.0, 0.0, False)


@pytest.mark.parametrize(
    "name, changes",
    [
        ("manifest", {"min_s": 3.0}),
        ("manifest", {"detector": "content"}),
        ("default", {"min_s": 20.0, "max_s": 10.0}),
        ("default", {"min_s": -1.0}),
        ("default", {"max_s": float("nan")}),
        ("default", {"threshold": 0.0}),
        ("default", {"threshold": 27.0}),
    ],
)
def test_changes_that_mean_nothing_are_refused_in_one_sentence(name, changes):
    with pytest.raises(UsageError) as refusal:
        make_preset(name, **changes)
    assert "\n" not in str(refusal.value)
