"""`talkvid sql` on the command line, and other readers of the same tables."""

import json
import os
import subprocess
import sys

import pytest

from schemas.lake import Lake
from tests.small_lake import CLIPS


def talkvid(lake: Lake, *words: str, given: str = "") -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "jobs.cli", "sql", "--lake", lake.place.root, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, input=given, env=dict(os.environ))


def test_only_rows_stand_on_stdout(asked_lake):
    answer = talkvid(asked_lake, "--engine", "duckdb", "--format", "csv", "SELECT clip_id FROM clips ORDER BY 1")
    assert (answer.returncode, answer.stdout) == (0, "clip_id\n" + "".join(f"{name}\n" for name in sorted(CLIPS)))
    assert answer.stderr == ""


def test_limit_bounds_the_rows(asked_lake):
    assert talkvid(asked_lake, "--engine", "duckdb", "--format", "csv", "--limit", "2", "FROM clips").stdout.count("\n") == 3


@pytest.mark.parametrize(
    ("query", "status"),
    [("DROP TABLE clips", 2), ("SELEC", 2), ("SELECT * FROM nothing", 3), ("SELECT nothing FROM clips", 3)],
)
def test_a_mistake_is_one_sentence_and_its_status(asked_lake, query, status):
    answer = talkvid(asked_lake, "--engine", "duckdb", query)
    assert (answer.returncode, answer.stdout, len(answer.stderr.strip().splitlines())) == (status, "", 1)


def test_a_query_is_read_from_a_file(asked_lake, tmp_path):
    (tmp_path / "q.sql").write_text("SELECT count(*) AS n\nFROM clips;\n")
    assert json.loads(talkvid(asked_lake, "--engine", "duckdb", "-f", str(tmp_path / "q.sql"), "--json").stdout) == [{"n": len(CLIPS)}]
    assert talkvid(asked_lake, "--engine", "duckdb", "-f", str(tmp_path / "none.sql")).returncode == 2


def test_without_a_query_it_reads_them_from_its_input(asked_lake):
    answer = talkvid(asked_lake, "--engine", "duckdb", "--format", "csv", given="SELECT 1 AS a;\nSELECT\n 2 AS b;\n\\d\n\\d settings\n\\q\nSELECT 3;\n")
    lines = answer.stdout.splitlines()
    assert lines[:4] == ["a", "1", "b", "2"]
    assert "clip_metadata" in lines
    assert any(line.startswith("set_at,") for line in lines)
    assert "3" not in lines


def test_spark_answers_the_same_on_the_command_line_and_refuses(asked_lake):
    queries = "SELECT rule, clips_out FROM funnel WHERE step = 1;\nDROP TABLE clips;\nSELECT 3;\n"
    answer = talkvid(asked_lake, "--format", "csv", "--master", "local[1]", given=queries)
    assert (answer.returncode, answer.stdout) == (2, f"rule,clips_out\nsegmented,{len(CLIPS)}\n")
    assert "talkvid sql only reads" in answer.stderr.strip().splitlines()[-1]


def test_duckdb_polars_and_delta_rs_read_clip_metadata(asked_lake):
    """Any Delta reader will do."""
    import duckdb
    import polars
    from deltalake import DeltaTable

    path = asked_lake.place.table("clip_metadata")
    expected = sorted(CLIPS)
    assert sorted(DeltaTable(path).to_pyarrow_table()["clip_id"].to_pylist()) == expected
    assert polars.read_delta(path).sort("clip_id")["clip_id"].to_list() == expected
    assert polars.scan_delta(path).select(polars.col("head").struct.field("avg_movement").max()).collect().item() == 95.0
    found = duckdb.from_arrow(DeltaTable(path).to_pyarrow_dataset()).aggregate("max(head.avg_movement)").fetchall()
    assert found == [(95.0,)]
