"""A batch of `talkvid generate` killed with -9, its driver or a Python worker, then run again: the videos must be those of an undisturbed run.

`python -m benchmarks.killed_generate [--kills 3] [--videos 8]`. Exits 1 when a video was torn, differs, is missing or is there twice, and when a kill
struck nothing in several tries.
"""

import argparse
import csv
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.table import show
from schemas.lake import Lake
from tests.inference.inputs import QUICK, portrait_file, smoke_checkpoint, tone

TRIES = 3
"""A batch that was over before anything could be struck is begun again."""


def make_inputs(folder: Path, videos: int) -> Path:
    """A model, a portrait, sounds, and the table that asks for videos of them."""
    smoke_checkpoint(folder / "trained")
    portrait_file(folder / "portrait.png")
    for number in range(videos):
        tone(folder / f"{number}.wav", 0.5 + 0.2 * (number % 4), 200 + 50 * number)
    table = folder / "wanted.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["generation_id", "reference_image_path", "audio_path"])
        writer.writerows([f"v{number}", "portrait.png", f"{number}.wav"] for number in range(videos))
    return table


def start(table: Path, out: Path) -> subprocess.Popen:
    """The verb over the table, in a lake of its own."""
    words = [sys.executable, "-m", "jobs.cli", "generate", "--table", str(table), "--out", str(out / "videos"), "--lake", str(out / "lake")]
    words += ["--checkpoint_path", str(table.parent / "trained"), "--device", "cpu", "--quiet", "--master", "local[2,4]"]
    words += [f"--{name}={value}" for name, value in QUICK.items()]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def written(out: Path) -> dict[str, bytes]:
    """Every file under a final name."""
    return {path.name: path.read_bytes() for path in sorted((out / "videos").glob("*")) if not path.name.startswith(".")}


def disturb(run: subprocess.Popen, out: Path, victim: str, share: float, videos: int) -> bool:
    """Kill the driver, or a worker that has an encoder under way, once that share of the videos is there; returns whether something was killed."""
    while run.poll() is None:
        time.sleep(0.02)
        if len(list((out / "videos").glob("*.mp4"))) < share * videos:
            continue
        if victim == "driver":
            run.kill()
            return True
        for process in psutil.Process(run.pid).children(recursive=True):
            try:
                worker = process.parent()
                if process.name() == "ffmpeg" and worker is not None and any("pyspark" in word for word in worker.cmdline()):
                    os.kill(worker.pid, signal.SIGKILL)
                    return True
            except (psutil.NoSuchProcess, ProcessLookupError):
                continue
    return False


def moment(kill: int, kills: int) -> float:
    """The share of the videos after which this one of so many kills strikes: spread evenly, none at the start, and none at the end,
    as there are at least twice as many videos."""
    return (kill + 0.5) / kills


@dataclass(frozen=True)
class Outcome:
    """Whether something was struck; files under final names then, those of them that are not whole, files that differ after another run, videos
    without a row, videos with several."""

    struck: bool
    then: int
    torn: int
    differ: int
    missing: int
    twice: int

    @property
    def good(self) -> bool:
        """Struck, and as undisturbed."""
        return self.struck and not (self.torn or self.differ or self.missing or self.twice)


def main() -> None:
    """Kill, run again, compare, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=3, help="of each kind")
    parser.add_argument("--videos", type=int, default=8)
    args = parser.parse_args()
    if 2 * args.kills > args.videos:
        parser.error("--videos: at least twice as many as --kills")
    rows: list[tuple[str, Outcome]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = make_inputs(folder, args.videos)
        start(table, folder / "undisturbed").wait()
        wanted = written(folder / "undisturbed")
        assert len(wanted) == args.videos
        for victim in ("driver", "worker"):
            for kill in range(args.kills):
                for attempt in range(TRIES):
                    out = folder / f"{victim}-{kill}-{attempt}"
                    run = start(table, out)
                    killed = disturb(run, out, victim, moment(kill, args.kills), args.videos)
                    run.wait()
                    if killed:
                        break
                there = written(out)
                torn = sum(wanted.get(file) != data for file, data in there.items())
                start(table, out).wait()
                after = written(out)
                differ = sum(after.get(file) != data for file, data in wanted.items()) + len(after.keys() - wanted.keys())
                noted = Counter(row["generation_id"] for row in Lake.at(str(out / "lake")).ledger.read("generations").to_pylist())
                twice = sum(count > 1 for count in noted.values())
                rows.append((victim, Outcome(killed, len(there), torn, differ, args.videos - len(noted), twice)))
    headings = ("killed", "was there", "videos then", "of them torn", "that differ after", "rows missing", "rows twice")
    cells = [(victim, "yes" if one.struck else "no", one.then, one.torn, one.differ, one.missing, one.twice) for victim, one in rows]
    show(f"A batch of {args.videos} videos killed with -9, then run again", headings, cells)
    sys.exit(not all(one.good for _, one in rows))


if __name__ == "__main__":
    main()
