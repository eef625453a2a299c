"""Second runs with nothing new: seconds with process start, whether a Java process was started, and rows written.

`python -m benchmarks.nothing_new FOLDER [--lake LAKE]`; makes the lake first when it is not given. Exits 1 when a verb takes 3 s or more, `run` 8 s,
when Spark is started, or a row is written.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.limits import judged
from benchmarks.table import show
from schemas.lake import Lake
from schemas.tables import TABLES

MOST_S, MOST_RUN_S = 3.0, 8.0


def timed(words: list[str]) -> tuple[float, bool, str]:
    """Seconds, whether Java ran below it, and the last line of stdout."""
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "jobs.cli", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    java = False
    while process.poll() is None:
        java = java or any(child.name() == "java" for child in psutil.Process(process.pid).children(recursive=True))
        time.sleep(0.05)
    assert process.stdout is not None
    return time.monotonic() - started, java, process.stdout.read().strip().splitlines()[-1]


def row_counts(lake: Lake) -> dict[str, int]:
    """Rows by table, `runs` and `settings` too."""
    return {name: lake.ledger.open(name).count() for name in TABLES}


def main() -> None:
    """Run everything once, then each verb again, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lake", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root, out = str(args.lake or Path(scratch, "lake")), str(Path(scratch, "out"))
        run = ["run", str(args.folder), "--lake", root, "--export", out]
        first = timed(run)
        lake = Lake.at(root)
        rows = [("run, the first time", f"{first[0]:.1f}", "yes" if first[1] else "no", "", first[2])]
        again = [["ingest", str(args.folder)], ["segment"], ["score"], ["filter", "--policy", "lite", "--save"], ["export", out]]
        limits = {}
        for words in [*[[*words, "--lake", root] for words in again], run]:
            before = row_counts(lake)
            seconds, java, line = timed(words)
            new = sum(row_counts(lake).values()) - sum(before.values())
            rows.append((words[0], f"{seconds:.1f}", "yes" if java else "no", new, line))
            most_s = MOST_RUN_S if words is run else MOST_S
            limits |= {f"{words[0]} in {most_s:g} s": seconds < most_s, f"{words[0]} without Spark": not java, f"{words[0]} writes nothing": new == 0}
    show("Second runs with nothing new", ("verb", "s", "Spark started", "new rows", "last line"), rows)
    judged(limits)


if __name__ == "__main__":
    main()
