"""What a lake costs in an S3 server beside a folder: commits, idle checks, answers of `talkvid sql`.

`python -m benchmarks.object_store [--clips 100000] [--commits 100]` starts a versitygw of its own; loopback, so no network latency is in it.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pyarrow as pa

from benchmarks.funnel import noise
from benchmarks.table import show
from schemas.clip_metadata import TABLE
from schemas.lake import Lake
from schemas.lease import lease
from schemas.ledger import now
from schemas.tables import TABLES
from tests.cluster_real.s3_server import serving

FUNNEL = """
    SELECT language, count(*) AS clips, count(CASE WHEN dover.dover_scores >= 5 THEN 1 END) AS after_dover,
        count(CASE WHEN dover.dover_scores >= 5 AND head.face_consistency >= 80 AND head.avg_movement >= 80 THEN 1 END) AS kept
    FROM clip_metadata GROUP BY language ORDER BY clips DESC"""


def timed(work: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def commits(lake: Lake, count: int) -> list[float]:
    """Seconds of each of so many appends of one row, under the lease."""
    with lease(lake.place, "benchmark"):
        row = {"key": "k", "value": "v"}
        return [timed(lambda: lake.ledger.append("settings", [row | {"set_at": now()}])) for _ in range(count)]


def sql(lake: Lake, engine: str) -> float:
    """Seconds of a whole `talkvid sql`, process start included."""
    words = [sys.executable, "-m", "jobs.cli", "sql", FUNNEL, "--engine", engine, "--lake", lake.place.root]
    return timed(lambda: subprocess.run(words, check=True, capture_output=True))


def measure(root: str, clips: int, count: int) -> tuple[float, ...]:
    """All figures of one lake."""
    lake = Lake.at(root)
    made = timed(lake.ledger.create)
    rows = pa.RecordBatchReader.from_batches(TABLE.schema, noise(0, clips))
    filled = timed(lambda: lake.ledger.overwrite("clip_metadata", rows))
    each = commits(lake, count)
    quarter = max(1, count // 4)
    versions = timed(lambda: lake.ledger.versions(list(TABLES)))
    answers = [min(sql(lake, "duckdb") for _ in range(3)), sql(lake, "spark")]
    return made, filled, median(each[:quarter]), median(each[-quarter:]), max(each), versions, *answers


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=100_000)
    parser.add_argument("--commits", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder, "store")):
        places = {"folder": str(Path(folder, "lake")), "S3 server": "s3a://lake-bucket/lake"}
        figures = {name: measure(root, options.clips, options.commits) for name, root in places.items()}
    headings = (
        "tables made",
        "clip_metadata written",
        "commit of one row, first quarter",
        "commit, last quarter",
        "commit, worst",
        "versions of all tables asked",
        "sql --engine duckdb: funnel by language",
        "sql --engine spark: the same",
    )
    rows = [(heading, *(f"{figures[name][row]:.3f} s" for name in figures)) for row, heading in enumerate(headings)]
    show(f"A lake of {options.clips:,} clips, {options.commits} commits", ("what", *figures), rows)


if __name__ == "__main__":
    main()
