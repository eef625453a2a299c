"""Clocks of executors: how closely a job brackets them."""

import time

import pytest

from cluster import clocks
from cluster.clocks import Skew, bracketed, skews

HERE = ("here", 1)


@pytest.mark.parametrize("off_s", [0, 20, -20])
def test_a_warm_job_tells_the_clock_closely(spark, off_s):
    here = [*skews(spark, [])]
    (skew,) = skews(spark, here, lambda: time.time() + off_s).values()
    assert skew.least_s <= off_s <= skew.most_s
    assert skew.width_s < 5


def test_an_executor_s_first_and_last_look_of_all_its_tasks_count():
    looks = [(HERE, 1020.1, 1020.3), (HERE, 1020.4, 1020.6), (("there", 1), 1000.4, 1000.6)]
    found = bracketed(1000.0, 1000.8, looks)
    assert found[HERE].least_s == pytest.approx(19.8)
    assert found[HERE].most_s == pytest.approx(20.1)
    assert found["there", 1].surely_s == 0
    assert found["there", 1].perhaps_s == pytest.approx(0.4)


def test_a_round_that_took_long_or_left_one_out_is_followed_by_another(monkeypatch):
    rounds = iter([{HERE: Skew(-3, 2)}, {("there", 1): Skew(-0.1, 0.1)}, {HERE: Skew(-0.2, 4)}, {}])
    monkeypatch.setattr(clocks, "_look", lambda *_: next(rounds))
    assert skews(None, [HERE, ("there", 1)]) == {HERE: Skew(-0.2, 2), ("there", 1): Skew(-0.1, 0.1)}
    assert next(rounds) == {}


def test_one_round_is_enough_when_all_are_told_closely(monkeypatch):
    rounds = iter([{HERE: Skew(-0.1, 0.1)}, {HERE: Skew(0, 0)}])
    monkeypatch.setattr(clocks, "_look", lambda *_: next(rounds))
    assert skews(None, [HERE]) == {HERE: Skew(-0.1, 0.1)}
