"""The driver of `talkvid score` killed with -9 at five moments, then run again: the rows must be those of an undisturbed run.

`python -m benchmarks.killed_score [--kills 5] [--clips 24]`
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.clips import lake_of_clips
from benchmarks.table import show
from jobs import metadata
from schemas.lake import Lake
from udfs.footage.tiny import tiny_video

SCORERS = ("technical", "flow")


def score(lake: Lake, kill_after_s: float | None = None) -> float:
    """Run the verb; kill it after so many seconds. Returns how long it ran."""
    words = [sys.executable, "-m", "jobs.cli", "score", "--lake", lake.place.root, "--scorers", ",".join(SCORERS), "--commit-every", "2", "--quiet"]
    started = time.monotonic()
    driver = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        driver.wait(kill_after_s)
    except subprocess.TimeoutExpired:
        driver.kill()
        driver.wait()
    return time.monotonic() - started


def rows(lake: Lake) -> dict[str, dict]:
    """Scores by clip, without times and runs."""
    return {row["clip_id"]: {name: row[name] for name in SCORERS} for row in lake.ledger.read("clip_metadata").to_pylist()}


def twice(lake: Lake) -> int:
    """How many (clip, scorer, fingerprint) stand in `scores` more than once."""
    found = Counter((row["clip_id"], name, row[name]["fingerprint"]) for row in lake.ledger.read("scores").to_pylist() for name in SCORERS if row[name])
    return sum(count > 1 for count in found.values())


def main() -> None:
    """Kill, run again, compare, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--clips", type=int, default=24)
    args = parser.parse_args()
    table = []
    with tempfile.TemporaryDirectory() as folder:
        video = tiny_video(Path(folder, "video.mp4"), seconds=6)

        def fresh(name: str) -> Lake:
            lake = lake_of_clips(Path(folder, name), [video], clips=args.clips, clip_s=1.0)
            metadata.refresh(lake)
            return lake

        undisturbed = fresh("undisturbed")
        whole_s = score(undisturbed)
        wanted = rows(undisturbed)
        for kill in range(args.kills):
            lake = fresh(f"killed-{kill}")
            killed_s = score(lake, whole_s * (0.3 + 0.65 * kill / max(1, args.kills - 1)))
            done = lake.ledger.read("scores").num_rows
            score(lake)
            lost = sum(found != wanted[clip] for clip, found in rows(lake).items())
            table.append((f"{killed_s:.1f} of {whole_s:.1f}", done, len(rows(lake)) - done, lost, twice(lake)))
    show("`talkvid score` killed with -9, then run again", ("killed after, s", "clips committed", "clips left", "rows that differ", "rows twice"), table)
    sys.exit(any(row[3] or row[4] for row in table))


if __name__ == "__main__":
    main()
