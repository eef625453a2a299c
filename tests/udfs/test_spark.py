"""Scorers and shots as SQL functions."""

import pyarrow as pa
import pytest

from udfs.footage.tiny import tiny_video
from udfs.progress import Reporter
from udfs.spark import map_bins, register_functions


@pytest.fixture(scope="module")
def calls(spark, tmp_path_factory):
    """A view with one good clip, one of a file that is not there, and one without an address."""
    video = tiny_video(tmp_path_factory.mktemp("sql") / "two shots.mp4", seconds=4, shots=2, audio=None)
    rows = [("good", str(video), 0.0, 1.0), ("gone", str(video) + ".gone", 0.0, 1.0), ("null", None, 0.0, 1.0)]
    spark.createDataFrame(rows, "clip_id string, uri string, start_s double, end_s double").createOrReplaceTempView("calls")
    register_functions(spark)
    return spark


def test_scorer_returns_its_struct_and_nulls_for_what_cannot_be_scored(calls):
    query = "SELECT clip_id, d.* FROM (SELECT clip_id, technical(clip_id, uri, start_s, end_s) d FROM calls) ORDER BY clip_id"
    rows = {row["clip_id"]: row for row in calls.sql(query).collect()}
    assert rows["good"]["sharpness"] > 0
    assert rows["good"]["fingerprint"].startswith("technical-v")
    assert rows["good"]["device"] in ("cpu", "cuda")
    assert rows["gone"]["sharpness"] is None
    assert rows["null"]["fingerprint"] is None


def test_each_call_is_evaluated_once_though_it_is_filtered_on(calls):
    query = "SELECT d.sharpness FROM (SELECT technical(clip_id, uri, start_s, end_s) d FROM calls) WHERE d.sharpness > 0 AND d.noise >= 0"
    plan = calls.sql(query)._jdf.queryExecution().optimizedPlan().toString()
    assert plan.count("ArrowEvalPython") == 1
    assert "pythonUDF1" not in plan
    assert calls.sql(query).count() == 1


def test_shots_lists_the_shots_of_a_video(calls):
    rows = {row["clip_id"]: row["s"] for row in calls.sql("SELECT clip_id, shots(uri) s FROM calls").collect()}
    assert [(shot["start_frame"], shot["end_frame"]) for shot in rows["good"]] == [(0, 50), (50, 100)]
    assert rows["good"][1]["start_s"] == pytest.approx(2.0)
    assert rows["good"][1]["end_s"] == pytest.approx(4.0)
    assert rows["gone"] is None


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_each_bin_is_a_task_and_they_start_in_their_order(spark, count):
    schema = pa.schema([("name", pa.string()), ("task", pa.int64())])

    def worker(items: list[dict]):
        from pyspark import TaskContext

        for position, item in enumerate(items):
            yield position, [{"name": item["name"], "task": TaskContext.get().partitionId()}]

    bins = [[{"name": f"{number}-{item}"} for item in range(2)] for number in range(count)]
    rows = map_bins(spark, bins, worker, schema=schema, on_death=lambda item: [], label=lambda item: item["name"], reporter=Reporter()).to_pylist()
    assert [(row["name"], row["task"]) for row in rows] == [(item["name"], number) for number, filled in enumerate(bins) for item in filled]
