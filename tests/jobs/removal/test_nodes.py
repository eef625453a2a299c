"""Sweeping the machines of a cluster: each is asked, and those that could not be are told."""

import pytest

from cluster.census import Census
from jobs.removal import nodes


def test_a_session_sweeps_where_its_workers_are(spark):
    assert nodes.sweep(spark) == []


@pytest.mark.parametrize(("error", "said"), [("", "reach the others"), ("no Python\x1b[2J", "others: no Python\\x1b[2J")])
def test_machines_that_gave_no_answer_are_told(monkeypatch, error, said):
    monkeypatch.setattr(nodes, "census", lambda *words: Census([{"host": "a", "daemon": 1}], ["10.0.0.1", "10.0.0.2"], error))
    (note,) = nodes.sweep(None)
    assert "of 1 machines were swept, 2 executors are there" in note and note.endswith(said)


def test_spark_submit_may_name_a_cluster(monkeypatch):
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    assert not nodes.on_cluster(None)
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    assert nodes.on_cluster(None) and not nodes.on_cluster("local[4]")
