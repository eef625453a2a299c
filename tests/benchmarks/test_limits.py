"""A benchmark that misses a limit says so and fails."""

import math

import pytest

from benchmarks.limits import judged, largest


def test_what_is_missed_is_named_in_one_line_and_the_rest_is_not():
    with pytest.raises(SystemExit, match="^missed: loss within 1e-4; memory flat$"):
        judged({"loss within 1e-4": math.nan <= 1e-4, "same clips": True, "memory flat": False})
    judged({"same clips": True})


@pytest.mark.parametrize(("values", "found"), [([], 0.0), ([1.0, 3.0, 2.0], 3.0), ([1.0, math.nan, 2.0], math.inf), ([math.nan], math.inf)])
def test_the_largest_of_numbers_of_which_one_is_none_is_infinite(values, found):
    assert largest(values) == found
