"""Two drivers started at once on one lake in an S3 server, twenty times; then a killed driver's lease taken over, and commits that are counted.

`python -m benchmarks.lease_race [--races 20] [--takeovers 1]` starts a versitygw of its own (see tests/cluster_real/s3_server.py). Exits 1
unless in every race one works and the other is told within 10 s, no row is lost or doubled, and a lease is taken over within 90 s.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.table import show
from schemas.errors import BusyError
from schemas.lake import Lake
from tests.cluster_real.s3_server import serving

LAKE = "s3a://lake-bucket/race"
ROUNDS_OF_WORK = 20
TOLD_WITHIN_S, TAKEN_WITHIN_S = 10.0, 90.0
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

job = Job("race", "append rows", lambda parser: None, lambda args: None, run, needs_spark=lambda config: False, creates_lake=lambda config: True)
sys.exit(run_verb(job, ["--lake", sys.argv[1]]))
"""
"""A verb of its own kind through the real command line: it appends rows, one commit each."""


def driver(name: str, rows: int = ROUNDS_OF_WORK) -> subprocess.Popen:
    """A driver that appends so many rows under its name."""
    return subprocess.Popen([sys.executable, "-c", WRITE, LAKE, str(rows), name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def keys() -> Counter[str]:
    """Rows by key."""
    return Counter(row["key"] for row in Lake.at(LAKE).ledger.read("settings").to_pylist())


@dataclass(frozen=True)
class Race:
    """How two drivers ended; `told_s` are the seconds until the one with status 5 did, None where none has it. Rows that the working
    one lacks, and rows that are there twice or from the other."""

    statuses: tuple[int, ...]
    told_s: float | None
    lost: int
    more: int

    @property
    def good(self) -> bool:
        """One worked, the other was told in time, and every row is there once."""
        return self.statuses == (0, 5) and self.told_s is not None and self.told_s < TOLD_WITHIN_S and not (self.lost or self.more)


@dataclass(frozen=True)
class Takeover:
    """The status of the driver after a killed one, seconds from the kill to its end, and rows that are there twice."""

    status: int
    took_s: float
    twice: int

    @property
    def good(self) -> bool:
        """It worked, in time, and doubled nothing."""
        return self.status == 0 and self.took_s <= TAKEN_WITHIN_S and not self.twice


def ends(processes: Sequence[subprocess.Popen], began: float, limit_s: float = 300.0) -> list[tuple[int, float]]:
    """The exit status of each, and the seconds from `began`, a time of `time.monotonic`, until it ended. Raises `TimeoutError`."""
    found: dict[int, tuple[int, float]] = {}
    while len(found) < len(processes):
        if time.monotonic() - began > limit_s:
            raise TimeoutError(f"a driver did not end within {limit_s:.0f} s")
        for number, process in enumerate(processes):
            if number not in found and (status := process.poll()) is not None:
                found[number] = (status, time.monotonic() - began)
        time.sleep(0.02)
    return [found[number] for number in range(len(processes))]


def told_s(ended: Sequence[tuple[int, float]]) -> float | None:
    """When the one that was told that another writes ended; None where none was told."""
    return next((seconds for status, seconds in ended if status == BusyError.exit_status), None)


def race(number: int) -> Race:
    """Two drivers started together."""
    began = time.monotonic()
    both = {f"race-{number}-{side}": driver(f"race-{number}-{side}") for side in "ab"}
    ended = ends([*both.values()], began)
    found = keys()
    worked = [name for name, (status, _) in zip(both, ended) if status == 0]
    wanted = {f"{name}-{row}" for name in worked for row in range(ROUNDS_OF_WORK)}
    own = {key: count for key, count in found.items() if key.startswith(f"race-{number}-")}
    statuses = tuple(sorted(status for status, _ in ended))
    return Race(statuses, told_s(ended), len(wanted - set(own)), sum(own.values()) - len(wanted & set(own)))


def takeover(number: int) -> Takeover:
    """A writing driver is killed, and another started."""
    killed = driver(f"killed-{number}", 1000)
    while not any(key.startswith(f"killed-{number}-") for key in keys()):
        if killed.poll() is not None:
            raise SystemExit(f"the driver that was to be killed ended by itself, with status {killed.returncode}")
        time.sleep(0.1)
    killed.kill()
    killed.wait()
    began = time.monotonic()
    ((status, took_s),) = ends([driver(f"next-{number}", 1)], began)
    return Takeover(status, took_s, sum(count - 1 for count in keys().values()))


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
    told = [race.told_s for race in races if race.told_s is not None]
    show(
        "Two drivers at once on one lake in an S3 server",
        ("races", "one works, the other exits 5", "exit 5 after, median", "worst", "rows lost", "rows twice or from the busy one"),
        [
            (
                len(races),
                sum(race.statuses == (0, 5) for race in races),
                f"{median(told):.1f} s" if told else "never",
                f"{max(told):.1f} s" if told else "never",
                sum(race.lost for race in races),
                sum(race.more for race in races),
            )
        ],
    )
    if after:
        rows = [(len(after), f"{max(one.took_s for one in after):.1f} s", sum(one.twice for one in after))]
        show("A lease left by a killed driver", ("kills", "next driver done after, worst", "rows twice"), rows)
    bad = [one for one in (*races, *after) if not one.good]
    print("\n".join(map(str, bad)) or "all as it has to be")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
