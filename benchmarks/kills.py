"""Something is killed with -9 at a random moment of a verb, which is then run again if it failed: the result must be that of an
undisturbed run.

`python -m benchmarks.kills [--n 60] [--seed 0] [--stages ingest,segment,score,export] [--kinds driver,executor,worker,ffmpeg]`

Each kill starts from a saved lake of the stage before. Victims are looked for among the descendants of the verb's own process only.
A cluster's kinds (a node, its network, the store) are added to `STRIKES` by whoever raises one: `benchmarks.kills.STRIKES["node"] = …`.
"""

import argparse
import hashlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.table import show
from schemas.lake import Lake
from schemas.table import UTC_TIME
from schemas.tables import TABLES
from udfs.footage.tiny import tiny_video

STAGES = ("ingest", "segment", "score", "export")
NOT_COMPARED = ("runs", "settings")
"""History of what ran, and the versions it saw."""
OWN_TO_A_RUN = ("run_id", "mtime_ns")
POLICY = "name: all\nrules:\n  - {name: length, column: duration_s, op: '>', value: 0.0, why: every clip}\n"
WAIT_FOR_VICTIM_S = 20.0
TRIES = 4
"""A strike that came when all was over is tried again, each time at half the delay."""

Strike = Callable[[psutil.Process, random.Random], bool]


def _descendants(driver: psutil.Process) -> list[psutil.Process]:
    try:
        return driver.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _one_of(fits: Callable[[psutil.Process], bool]) -> Strike:
    """A strike at one of the descendants that fit; False when there was none."""

    def strike(driver: psutil.Process, dice: random.Random) -> bool:
        found = []
        for process in _descendants(driver):
            try:
                found += [process] if fits(process) else []
            except psutil.Error:
                continue
        if not found:
            return False
        try:
            dice.choice(found).kill()
        except psutil.NoSuchProcess:
            return False
        return True

    return strike


def _kill_driver(driver: psutil.Process, dice: random.Random) -> bool:
    driver.kill()
    return True


def _is_worker(process: psutil.Process) -> bool:
    """A Python worker of Spark's: its daemon's child."""
    parent = process.parent()
    return parent is not None and "pyspark.daemon" in " ".join(parent.cmdline()) and "pyspark.daemon" in " ".join(process.cmdline())


STRIKES: dict[str, Strike] = {
    "driver": _kill_driver,
    "executor": _one_of(lambda process: process.name() == "java"),
    "worker": _one_of(_is_worker),
    "ffmpeg": _one_of(lambda process: process.name() in ("ffmpeg", "ffprobe")),
}
"""What can be killed; in local mode the executor is the driver's Java machine."""


@dataclass(frozen=True)
class Bench:
    """A place to work in: footage, and `work` with the lake and the export, saved and restored as a whole, under the same name."""

    root: Path

    @property
    def work(self) -> Path:
        """Folder of the lake and of the export."""
        return self.root / "work"

    @property
    def lake(self) -> Lake:
        """The lake as it is now."""
        return Lake.at(str(self.work / "lake"))

    def words(self, stage: str) -> list[str]:
        """The command of a stage."""
        own = {
            "ingest": [str(self.root / "footage"), "--copy"],
            "segment": ["--detector", "content", "--no-speech", "--min-s", "0", "--max-s", "0"],
            "score": ["--scorers", "technical,flow", "--commit-every", "2"],
            "export": [str(self.work / "out"), "--policy", str(self.root / "all.yaml")],
        }
        common = ["--lake", str(self.work / "lake"), "--quiet", "--master", "local[2,4]"]
        return [sys.executable, "-m", "jobs.cli", stage, *own[stage], *common]

    def save(self, name: str) -> None:
        """Keep `work` under a name."""
        shutil.copytree(self.work, self.root / "saved" / name)

    def restore(self, name: str) -> None:
        """Make `work` what it was."""
        shutil.rmtree(self.work)
        shutil.copytree(self.root / "saved" / name, self.work)


def run(words: Sequence[str], strike: Callable[[psutil.Process], bool] | None = None, after_s: float = 0.0) -> tuple[int, float, bool]:
    """Run a verb; after so many seconds strike until something was hit or the verb has ended. Status, seconds, whether it was hit."""
    started, hit = time.monotonic(), False
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    if strike is not None:
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            driver = psutil.Process(process.pid)
            while process.poll() is None and not hit and time.monotonic() - started < after_s + WAIT_FOR_VICTIM_S:
                hit = strike(driver)
                time.sleep(0.002)
    children = _descendants(psutil.Process(process.pid)) if process.poll() is None else []
    status = process.wait()
    psutil.wait_procs(children, timeout=30)
    return status, time.monotonic() - started, hit


def contents(bench: Bench) -> dict[str, object]:
    """What must be equal: rows of every table without what is a run's own, and files of media and export with their hashes."""
    found: dict[str, object] = {}
    for name, table in TABLES.items():
        if name not in NOT_COMPARED and bench.lake.place.version(name) >= 0:
            kept = [field.name for field in table.schema if field.name not in OWN_TO_A_RUN and field.type != UTC_TIME]
            found[name] = sorted(repr({column: row[column] for column in kept}) for row in bench.lake.ledger.read(name).to_pylist())
    for folder in (bench.work / "out", bench.work / "lake" / "media"):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                found[str(path.relative_to(bench.work))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def differences(wanted: dict[str, object], found: dict[str, object]) -> tuple[int, int, int]:
    """What is lost, what is there twice or should not be there, and files with other bytes, counted."""
    lost = twice = other = 0
    for name in {*wanted, *found}:
        before, after = wanted.get(name), found.get(name)
        if isinstance(before, list) or isinstance(after, list):
            first, second = list(before or []), list(after or [])
            lost += sum(max(0, first.count(row) - second.count(row)) for row in set(first))
            twice += sum(max(0, second.count(row) - first.count(row)) for row in set(second))
        else:
            lost, twice, other = lost + (after is None), twice + (before is None), other + (None not in (before, after) and before != after)
    return lost, twice, other


def prepare(bench: Bench, stages: Sequence[str], videos: int) -> tuple[dict[str, float], dict[str, dict[str, object]]]:
    """Run everything undisturbed once: seconds of each stage, and what it leaves; the state before each is saved."""
    (bench.root / "footage").mkdir()
    for number in range(videos):
        tiny_video(bench.root / "footage" / f"{number}.mp4", seconds=4, shots=2, kind="texture", audio="tone", seed=number)
    (bench.root / "all.yaml").write_text(POLICY)
    bench.work.mkdir()
    seconds, wanted = {}, {}
    for stage in STAGES[: 1 + max(STAGES.index(name) for name in stages)]:
        bench.save(stage)
        status, seconds[stage], _ = run(bench.words(stage))
        if status:
            raise RuntimeError(f"{stage} failed undisturbed, with status {status}")
        wanted[stage] = contents(bench)
    return seconds, wanted


def kill(bench: Bench, stage: str, kind: str, dice: random.Random, whole_s: float, wanted: dict[str, object]) -> list[object]:
    """One kill and what became of it, as a row of the table."""
    after_s = whole_s * dice.uniform(0.15, 0.95)
    for _ in range(TRIES):
        bench.restore(stage)
        status, seconds, hit = run(bench.words(stage), lambda driver: STRIKES[kind](driver, dice), after_s)
        if hit:
            break
        after_s /= 2
    again = 0
    while status != 0 and again < 3:
        status, more_s, _ = run(bench.words(stage))
        seconds, again = seconds + more_s, again + 1
    lost, twice, other = differences(wanted, contents(bench))
    state = "as undisturbed" if not (lost or twice or other or status) else "DIFFERS"
    return [stage, kind if hit else f"{kind} (missed)", f"{after_s:.1f} of {whole_s:.1f}", again, f"{seconds - whole_s:+.1f}", lost, twice, other, state]


def main() -> None:
    """Kill, run again, compare, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stages", default=",".join(STAGES))
    parser.add_argument("--kinds", default=",".join(STRIKES))
    parser.add_argument("--videos", type=int, default=6)
    args = parser.parse_args()
    stages, kinds, dice = args.stages.split(","), args.kinds.split(","), random.Random(args.seed)
    pairs = [(stage, kind) for kind in kinds for stage in stages]
    dice.shuffle(pairs)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        seconds, wanted = prepare(bench, stages, args.videos)
        for number in range(args.n):
            stage, kind = pairs[number % len(pairs)]
            rows.append(kill(bench, stage, kind, dice, seconds[stage], wanted[stage]))
            print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    headings = ("stage", "killed", "after, s", "runs again", "extra, s", "lost", "twice", "other bytes", "result")
    show(f"{args.n} random kills, seed {args.seed}", headings, rows)
    sys.exit(any(row[-1] != "as undisturbed" for row in rows))


if __name__ == "__main__":
    main()
