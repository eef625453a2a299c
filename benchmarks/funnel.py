"""Seconds, process start included, of a funnel by language over a million clips and of a moved threshold over five million: `python -m benchmarks.funnel`.

The lakes are made in a temporary folder (2 GB) and deleted again.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from benchmarks.table import show
from schemas.clip_metadata import TABLE
from schemas.lake import Lake
from schemas.policy_files import load

FUNNEL_BY_LANGUAGE = """
    SELECT language, count(*) AS clips, round(sum(duration_s) / 3600, 1) AS hours_segmented,
        count(*) FILTER (dover.dover_scores >= 5) AS after_dover,
        count(*) FILTER (dover.dover_scores >= 5 AND head.face_consistency >= 80) AS after_one_face,
        count(*) FILTER (dover.dover_scores >= 5 AND head.face_consistency >= 80 AND head.avg_movement >= 80) AS kept
    FROM clip_metadata GROUP BY language ORDER BY clips DESC"""
CHUNK = 1_000_000
PASS_SHARE = 0.95
"""Share of clips that meets each rule of policy `talkvid`, so that every rule has work."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, nargs=2, default=(1_000_000, 5_000_000), metavar=("SQL", "FILTER"), help="clips in each lake")
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    sql = ["sql", "--engine", "duckdb", FUNNEL_BY_LANGUAGE]
    threshold = ["filter", "--policy", "talkvid", "--set", "head.avg_movement=85"]
    rows = [
        measured("sql --engine duckdb: funnel by language", sql, arguments.clips[0], 2.0, arguments.repeat),
        measured("filter --policy talkvid --set head.avg_movement=85", threshold, arguments.clips[1], 10.0, arguments.repeat),
    ]
    show("Funnel", ("talkvid", "clips", "clip_metadata", "median s", "worst s", "at most s"), rows)


def measured(what: str, words: list[str], clips: int, at_most_s: float, repeat: int) -> tuple[object, ...]:
    """One row: a verb over a lake made for it."""
    with tempfile.TemporaryDirectory(prefix="talkvid-funnel-") as folder:
        lake = make_lake(Path(folder), clips)
        size_mb = sum(Path(file).stat().st_size for file in lake.ledger.files("clip_metadata")) / 1e6
        seconds = [_run(words, folder) for _ in range(repeat)]
    return what, f"{clips:,}", f"{size_mb:,.0f} MB", f"{statistics.median(seconds):.2f}", f"{max(seconds):.2f}", at_most_s


def _run(words: list[str], lake: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "jobs.cli", *words, "--lake", lake], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def make_lake(root: Path, clips: int) -> Lake:
    """A lake whose `clip_metadata` holds `clips` rows of noise in every column, with scores about the thresholds of `talkvid`."""
    from deltalake import write_deltalake

    lake = Lake.at(str(root))
    lake.ledger.create()
    for start in range(0, clips, CHUNK):
        batches = pa.RecordBatchReader.from_batches(TABLE.schema, noise(start, min(start + CHUNK, clips)))
        write_deltalake(lake.ledger.open(TABLE.name), batches, mode="append")
    return lake


def noise(start: int, stop: int) -> Iterator[pa.RecordBatch]:
    """Rows of `clip_metadata` from `start` to before `stop`."""
    import duckdb

    thresholds = {rule.column: rule.value for rule in load("talkvid").rules if rule.value is not None}
    selected = ", ".join(f"{_column(field, field.name, thresholds)} AS {field.name}" for field in TABLE.schema)
    engine = duckdb.connect()
    engine.execute("SET TimeZone = 'UTC'").fetchall()
    for batch in engine.sql(f"SELECT {selected} FROM range({start}, {stop}) AS numbers(i)").to_arrow_reader(131072):
        columns = [column.cast(field.type) for column, field in zip(batch.columns, TABLE.schema, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, schema=TABLE.schema)


def _column(field: pa.Field, path: str, thresholds: dict[str, float]) -> str:
    """SQL for a column's value in row `i`: noise from a hash of row and column."""
    noise = f"(hash(i, '{path}') / 18446744073709551616.0)"
    if pa.types.is_struct(field.type):
        return "{" + ", ".join(f"'{leaf.name}': {_column(leaf, f'{path}.{leaf.name}', thresholds)}" for leaf in field.type) + "}"
    if path == "clip_id":
        return "printf('v%010d-%09d-%09d', i // 8, i, i + 1)"
    if path in thresholds:
        return f"CASE WHEN {noise} < {PASS_SHARE} THEN {thresholds[path]} + {noise} ELSE {thresholds[path]} - 1 - {noise} END"
    if path == "language":
        return f"'language ' || CAST(floor({noise} * {noise} * 15) AS INTEGER)"
    if pa.types.is_floating(field.type):
        return f"{noise} * 20"
    if pa.types.is_integer(field.type):
        return f"CAST({noise} * 1000 AS INTEGER)"
    if pa.types.is_boolean(field.type):
        return f"{noise} < 0.9"
    if pa.types.is_timestamp(field.type):
        return "TIMESTAMPTZ '2026-01-01 00:00:00+00'"
    return f"'{field.name} ' || CAST({noise} * 30000 AS INTEGER)"


if __name__ == "__main__":
    main()
