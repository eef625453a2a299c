"""Settings of scorers in words."""

from dataclasses import fields

import pytest

from schemas.errors import UsageError
from udfs.cotracker import CoTrackerConfig
from udfs.registry import SCORERS, default_config
from udfs.scorer_settings import configs_of


class Brightness:
    """A scorer without settings, as README shows how to write one."""

    name, version, needs, weights, config = "brightness", 1, frozenset(), (), None


def test_scorer_without_settings_has_none_to_set(monkeypatch):
    monkeypatch.setitem(SCORERS, "brightness", f"{__name__}:Brightness")
    assert default_config("brightness") is None
    with pytest.raises(UsageError, match="--set brightness.x: brightness has no settings$"):
        configs_of({"brightness.x": "1"})
    test_every_field_of_every_scorer_takes_its_default_back()


def test_words_become_configurations_of_the_fields_types():
    words = {"cotracker.points_per_side": "32", "cotracker.frames_per_s": "4", "cotracker.points_at_once": "none", "cotracker.paper_windows": "0"}
    assert configs_of(words) == {"cotracker": CoTrackerConfig(points_per_side=32, frames_per_s=4.0)}
    made = configs_of({"dover.onnx": "true", "head.backend": "centerface-dlib", "cotracker.points_at_once": "64"})
    assert (made["dover"].onnx, made["head"].backend, made["cotracker"].points_at_once) == (True, "centerface-dlib", 64)


def test_every_field_of_every_scorer_takes_its_default_back():
    for scorer in SCORERS:
        config = default_config(scorer)
        if config is None:
            continue
        words = {f"{scorer}.{field.name}": str(getattr(config, field.name)).lower() for field in fields(config)}
        assert configs_of(words) == {scorer: config}


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("beauty.points", "1", "no scorer 'beauty'; there are technical"),
        ("points_per_side", "1", "takes SCORER.FIELD=VALUE"),
        ("dover.dover_scores", "6", "no setting 'dover_scores'; it has antialias, onnx"),
        ("dover.onnx", "maybe", "true or false, not 'maybe'"),
        ("cotracker.points_per_side", "1.5", "whole number above 0"),
        ("cotracker.points_per_side", "9" * 400, "whole number above 0"),
        ("cotracker.points_per_side", "10000000000", "whole number above 0 to 1,000,000,000"),
        ("cotracker.segment_s", "1e300", "number above 0 to 1,000,000,000"),
        ("cotracker.points_per_side", "none", "whole number above 0"),
        ("cotracker.paper_windows", "-1", "whole number from 0"),
        ("cotracker.segment_s", "0", "number above 0"),
        ("technical.frames_per_s", "nan", "number above 0"),
    ],
)
def test_what_means_nothing_is_one_sentence(key, value, sentence):
    with pytest.raises(UsageError, match=sentence):
        configs_of({key: value})
