"""Which limits of the bookkeeping are judged."""

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.scale import STEPS, Measured, faults

IDLE_S = {"segment": 0.7, "score": 1.9, "filter": 1.0}
SMALL = Measured(10_000, dict.fromkeys(STEPS, 0.1), dict.fromkeys(STEPS, 0.072), 1, 0.0007, 2, 4, IDLE_S)
LARGE = Measured(1_000_000, dict.fromkeys(STEPS, 3.4), dict.fromkeys(STEPS, 3.4), 56, 0.0007, 2, 57, IDLE_S)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"share": 0.03}, "1,000,000 clips: commits take 3.00% of a job"),
        ({"cpu_s": dict.fromkeys(STEPS, 0.1) | {"pending, second query": 5.1}}, "the second pending query takes 5.1 CPU s"),
        ({"lying": 65}, "a table has 65 files"),
        ({"files": 65}, "a table has 65 files"),
        ({"idle_s": IDLE_S | {"score": 5.0}}, "score with nothing new takes 5.0 s"),
        ({"cpu_s": dict.fromkeys(STEPS, 4.9) | {"commits": 30.0}}, "a clip takes 50 CPU µs at 1,000,000 and 36 at 10,000"),
    ],
)
def test_each_limit_that_is_passed_is_said(change: dict[str, Any], said: str):
    assert faults([SMALL, LARGE]) == []
    (fault,) = faults([SMALL, replace(LARGE, **change)])
    assert said in fault


def test_the_first_query_may_take_longer_and_one_size_alone_is_judged_too():
    assert faults([replace(LARGE, cpu_s=dict.fromkeys(STEPS, 0.1) | {"pending, first query": 8.1})]) == []
