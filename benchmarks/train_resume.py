"""Kill -9 in the middle of training, then resume: `python -m benchmarks.train_resume LAKE [--steps 24]`, LAKE prepared with --smoke.

Two ranks under ZeRO-2 with two loader processes each, on the CPU. An undisturbed run, then three that are killed at different steps, inside a row
group (of which some clips were shown and some were not: LAKE needs several in one), and started again. Compared are clip ids, frame numbers and losses
of the ten steps after the resume. Exits 1 when anything differs, nothing was resumed, or a kill fell outside a row group.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.limits import judged, largest
from benchmarks.table import show
from training.metrics_log import seen
from training.snapshot import Snapshot
from training.stage_files import SNAPSHOT

EVERY = 4
FOLLOWING = 10


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lake")
    parser.add_argument("--steps", type=int, default=24)
    arguments, ended = parser.parse_args(), []
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch, "whole")
        _start(arguments.lake, whole, arguments.steps).wait()
        expected = seen(whole / "stage_3")
        for number, at in enumerate((EVERY + 1, EVERY + 3, 2 * EVERY + 2)):
            output = Path(scratch, f"killed-{number}")
            _kill_at(_start(arguments.lake, output, arguments.steps), output / "stage_3", at)
            inside = inside_a_row_group(Snapshot.read(output / "stage_3" / SNAPSHOT), seen(output / "stage_3"))
            status = _start(arguments.lake, output, arguments.steps).wait()
            ended.append(_compared(at, inside, status, expected, seen(output / "stage_3")))
    headings = ("killed after step", "inside a row group", "resumed at step", "steps compared", "same clips and frames", "largest difference of losses")
    rows = [(e.killed_after, _word(e.inside), e.resumed_at, e.steps, _word(e.same), f"{e.apart:.1e}", e.status) for e in ended]
    show("Resume after kill -9, 2 ranks, 2 loader processes each", (*headings, "exit status"), rows)
    judged(
        {
            "the same losses": all(e.apart == 0 for e in ended),
            "the same clips and frames": all(e.same for e in ended),
            f"{FOLLOWING} steps compared": all(e.steps == FOLLOWING for e in ended),
            "exit status 0": all(e.status == 0 for e in ended),
            "resumed from a checkpoint": all(e.resumed_at > EVERY for e in ended),
            "every kill inside a row group": all(e.inside for e in ended),
        }
    )


class Ended(NamedTuple):
    """A run that was killed and started again, beside the undisturbed one."""

    killed_after: int
    inside: bool
    resumed_at: int
    steps: int
    same: bool
    apart: float
    status: int


def inside_a_row_group(snapshot: Snapshot, shown: dict) -> bool:
    """Whether all that the ranks have shown ends in the middle of a row group of the newest epoch."""
    samples = [sample for steps in shown.values() for records in steps.values() for record in records for sample in record["samples"]]
    newest = max((epoch for _, epoch, *_ in samples), default=0)
    clips = {clip_id for clip_id, epoch, *_ in samples if epoch == newest}
    groups: dict[tuple[int, int], set[str]] = {}
    for clip_id, place in zip(snapshot.clip_ids, snapshot.places):
        groups.setdefault((place.file, place.row_group), set()).add(clip_id)
    return any(0 < len(group & clips) < len(group) for group in groups.values())


def _word(good: bool) -> str:
    return "yes" if good else "NO"


def _start(lake: str, output: Path, steps: int) -> subprocess.Popen:
    settings = {"start": "random", "steps": steps, "checkpoint_every": EVERY, "validate_every": 0, "engine": "deepspeed", "workers": 2, "batch_per_rank": 1}
    words = ["--stage", "3", "--smoke", "--lake", lake, "--output", str(output), "--num-gpus", "2", "--device", "cpu", "--quiet"]
    words += [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    return subprocess.Popen([sys.executable, "-m", "jobs.cli", "train", *words], stdout=subprocess.DEVNULL, start_new_session=True)


def _kill_at(verb: subprocess.Popen, folder: Path, step: int) -> None:
    """Kill the verb and all it started as soon as `step` is done."""
    while verb.poll() is None and step not in seen(folder).get(0, {}):
        time.sleep(0.02)
    started = psutil.Process(verb.pid).children(recursive=True)
    verb.kill()
    for process in started:
        process.kill()
    verb.wait()
    psutil.wait_procs(started, timeout=30)


def _compared(at: int, inside: bool, status: int, expected: dict, found: dict) -> Ended:
    """Only what was done after the resume is looked at: a step done twice has its later record last."""
    again = [step for step, records in found[0].items() if len(records) > 1 or step > at]
    first = min(again)
    steps = range(first, min(first + FOLLOWING, max(expected[0]) + 1))
    same = all(found[rank][step][-1]["samples"] == expected[rank][step][-1]["samples"] for rank in expected for step in steps)
    apart = largest(abs(found[0][step][-1]["train/loss"] - expected[0][step][-1]["train/loss"]) for step in steps)
    return Ended(at, inside, first, len(steps), same, apart, status)


if __name__ == "__main__":
    main()
