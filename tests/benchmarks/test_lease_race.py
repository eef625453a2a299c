"""When the driver that is told that another writes ended, whichever of the two ends first, and what makes a race or a takeover a bad one."""

import subprocess
import sys
import time
from dataclasses import replace

import pytest

from benchmarks.lease_race import Race, Takeover, ends, told_s


def process(seconds: float, status: int) -> subprocess.Popen:
    """One that ends after so long with that status."""
    return subprocess.Popen([sys.executable, "-c", f"import sys, time; time.sleep({seconds}); sys.exit({status})"])


def test_the_end_of_the_one_that_was_told_is_noted_though_the_other_ended_first():
    began = time.monotonic()
    (first, first_s), (second, second_s) = ends([process(1.5, 5), process(0.0, 0)], began)
    assert (first, second) == (5, 0) and second_s < first_s and first_s >= 1.5
    assert told_s([(first, first_s), (second, second_s)]) == first_s
    assert told_s([(0, 1.0), (0, 1.0)]) is None


def test_one_that_does_not_end_is_an_error():
    endless = process(600, 0)
    try:
        with pytest.raises(TimeoutError):
            ends([endless], time.monotonic(), limit_s=0.1)
    finally:
        endless.kill()
        endless.wait()


GOOD, TAKEN = Race((0, 5), 5.0, 0, 0), Takeover(0, 64.0, 0)


@pytest.mark.parametrize("change", [{"statuses": (0, 0)}, {"statuses": (1, 5)}, {"told_s": 10.1}, {"told_s": None}, {"lost": 1}, {"more": 1}])
def test_a_race_is_bad_when_anything_is_wrong(change):
    assert GOOD.good and not replace(GOOD, **change).good


@pytest.mark.parametrize("change", [{"status": 3}, {"took_s": 90.1}, {"twice": 1}])
def test_a_takeover_is_bad_when_anything_is_wrong(change):
    assert TAKEN.good and not replace(TAKEN, **change).good
