"""Two drivers started at once on one lake in an S3 server, twenty times; then a killed driver's lease taken over, and commits that are counted.

`python -m benchmarks.lease_race [--races 20] [--takeovers 1]` starts a versitygw of its own (see tests/cluster_real/s3_server.py).
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median

from benchmarks.table import show
from schemas.lake import Lake
from tests.cluster_real.s3_server import serving

LAKE = "s3a://lake-bucket/race"
ROUNDS_OF_WORK = 20
WRITE = """
import sys, time
from jobs.cli import run_verb
from jobs.job import Job
from jobs.summary import Summary
from schemas.ledger import now

def run(spark, lake, config):
    for number in range(int(sys.argv[2])):
        lake.ledger.append("settings", [{"key": f"{sys.argv[3]}-{number}", "value": "1", "set_at": now()}])
        time.sleep(0.2)
    return Summary("race", {"in": int(sys.argv[2])})

job = Job("race", "append rows", lambda parser: None, lambda args: None, run, needs_spark=lambda config: False, creates_lake=True)
sys.exit(run_verb(job, ["--lake", sys.argv[1]]))
"""
"""A verb of its own kind through the real command line: it appends rows, one commit each."""


def driver(name: str, rows: int = ROUNDS_OF_WORK) -> subprocess.Popen:
    """A driver that appends so many rows under its name."""
    return subprocess.Popen([sys.executable, "-c", WRITE, LAKE, str(rows), name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def keys() -> Counter[str]:
    """Rows by key."""
    return Counter(row["key"] for row in Lake.at(LAKE).ledger.read("settings").to_pylist())


def race(number: int) -> tuple[list[int], float, int, int]:
    """Exit statuses, seconds until the busy one ended, rows that the working one lacks, rows that are there twice or from the other."""
    began = time.monotonic()
    both = {f"race-{number}-{side}": driver(f"race-{number}-{side}") for side in "ab"}
    while all(process.poll() is None for process in both.values()):
        time.sleep(0.02)
    busy_s = time.monotonic() - began
    statuses = {name: process.wait() for name, process in both.items()}
    found = keys()
    worked = [name for name, status in statuses.items() if status == 0]
    wanted = {f"{name}-{row}" for name in worked for row in range(ROUNDS_OF_WORK)}
    own = {key: count for key, count in found.items() if key.startswith(f"race-{number}-")}
    return sorted(statuses.values()), busy_s, len(wanted - set(own)), sum(own.values()) - len(wanted & set(own))


def takeover(number: int) -> tuple[float, int]:
    """Seconds from the kill of a writing driver to the first row of the next one; rows that are there twice."""
    killed = driver(f"killed-{number}", 1000)
    while not any(key.startswith(f"killed-{number}-") for key in keys()):
        time.sleep(0.1)
    killed.kill()
    killed.wait()
    began = time.monotonic()
    following = driver(f"next-{number}", 1)
    while following.poll() is None:
        time.sleep(0.1)
    took_s = time.monotonic() - began
    assert following.returncode == 0
    return took_s, sum(count - 1 for count in keys().values())


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--races", type=int, default=20)
    parser.add_argument("--takeovers", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder, "store")):
        Lake.at(LAKE).ledger.create()
        races = [race(number) for number in range(options.races)]
        after = [takeover(number) for number in range(options.takeovers)]
    one = sum(statuses == [0, 5] for statuses, _, _, _ in races)
    show(
        "Two drivers at once on one lake in an S3 server",
        ("races", "one works, the other exits 5", "exit 5 after, median", "worst", "rows lost", "rows twice or from the busy one"),
        [
            (
                len(races),
                one,
                f"{median(busy_s for _, busy_s, _, _ in races):.1f} s",
                f"{max(busy_s for _, busy_s, _, _ in races):.1f} s",
                sum(lost for *_, lost, _ in races),
                sum(more for *_, more in races),
            )
        ],
    )
    if after:
        rows = [(len(after), f"{max(took_s for took_s, _ in after):.1f} s", sum(more for _, more in after))]
        show("A lease left by a killed driver", ("kills", "next driver done after, worst", "rows twice"), rows)


if __name__ == "__main__":
    main()
