"""Asking executors: what their Python says, and what their JVM does."""

import os

from cluster import executor_jvm
from cluster.census import census
from cluster.jars import DELTA_VERSION


def test_an_executor_s_python_and_its_jvm_answer_together(spark):
    found = census(spark, lambda: {"host": "here", "pid": os.getpid()}, lambda: "3", {"java": executor_jvm.JAVA, "delta": executor_jvm.DELTA})
    (told,) = found.answers
    assert found.error == ""
    assert (told["host"], told["gpu"], told["delta"]) == ("here", "3", DELTA_VERSION)
    assert told["java"] == spark._jvm.System.getProperty("java.version")
    assert told["pid"] != os.getpid()


def test_without_expressions_python_alone_is_asked(spark):
    (told,) = census(spark, lambda: {"host": "here"}, int).answers
    assert set(told) == {"host", "gpu", "daemon"}


def test_a_class_that_tasks_cannot_load_is_null_and_no_failed_job(spark):
    expression = executor_jvm.DELTA.replace("io.delta.tables.DeltaTable", "io.delta.tables.Absent")
    (told,) = census(spark, lambda: {"host": "here"}, int, {"delta": expression}).answers
    assert told["delta"] is None


def test_the_reason_of_a_failed_census_is_told(spark):
    found = census(spark, lambda: {"host": "here"}, int, {"java": "nonsense("})
    assert found.answers == []
    assert "PARSE_SYNTAX_ERROR" in found.error
