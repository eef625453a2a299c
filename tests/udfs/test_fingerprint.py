"""What changes a fingerprint, and what must not."""

from udfs.cotracker import CoTrackerConfig
from udfs.fingerprint import fingerprint


def of(config: CoTrackerConfig) -> str:
    """The fingerprint of the tracker configured so."""
    return fingerprint("cotracker", 1, config, {"cotracker3_offline": "aa"})


def test_setting_that_came_later_leaves_rows_of_its_default_as_they_are():
    assert of(CoTrackerConfig()) == "cotracker-v1-b842b0ec0210cc56"
    assert of(CoTrackerConfig(frames_per_s=4.0)) != of(CoTrackerConfig())


def test_setting_of_the_papers_windows_counts_where_they_are_looked_at():
    assert of(CoTrackerConfig(paper_longest=8)) == of(CoTrackerConfig())
    assert of(CoTrackerConfig(paper_windows=1, paper_longest=8)) != of(CoTrackerConfig(paper_windows=1))
    assert of(CoTrackerConfig(paper_windows=1)) != "cotracker-v1-4dee404cb1032a22", "of strips as wide as they are"


def test_setting_that_bounds_memory_only_does_not_count():
    assert of(CoTrackerConfig(points_at_once=64)) == of(CoTrackerConfig())
    assert of(CoTrackerConfig(points_per_side=64)) != of(CoTrackerConfig())


def test_random_weights_are_marked():
    assert fingerprint("s", 1, None, {"a": "random:1", "b": "bb"}).startswith("random:s-v1-")
    assert fingerprint("s", 1, None, {"b": "bb"}).startswith("s-v1-")
