"""Kill -9 in the middle of training, then resume: `python -m benchmarks.train_resume LAKE [--steps 24]`, LAKE prepared with --smoke.

Two ranks under ZeRO-2 with two loader processes each, on the CPU. An undisturbed run, then three that are killed at different steps (with several
clips in a row group, each falls inside one) and started again. Compared are clip ids, frame numbers and losses of the ten steps after the resume.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.table import show
from training.metrics_log import seen

EVERY = 4
FOLLOWING = 10


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lake")
    parser.add_argument("--steps", type=int, default=24)
    arguments, rows = parser.parse_args(), []
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch, "whole")
        _start(arguments.lake, whole, arguments.steps).wait()
        expected = seen(whole / "stage_3")
        for number, at in enumerate((EVERY + 1, EVERY + 3, 2 * EVERY + 2)):
            output = Path(scratch, f"killed-{number}")
            _kill_at(_start(arguments.lake, output, arguments.steps), output / "stage_3", at)
            status = _start(arguments.lake, output, arguments.steps).wait()
            rows.append(_compared(at, status, expected, seen(output / "stage_3")))
    headings = ("killed after step", "resumed at step", "steps compared", "same clips and frames", "largest difference of losses", "exit status")
    show("Resume after kill -9, 2 ranks, 2 loader processes each", headings, rows)


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


def _compared(at: int, status: int, expected: dict, found: dict) -> tuple[object, ...]:
    """Only what was done after the resume is looked at: a step done twice has its later record last."""
    again = [step for step, records in found[0].items() if len(records) > 1 or step > at]
    first = min(again)
    steps = range(first, min(first + FOLLOWING, max(expected[0]) + 1))
    same = all(found[rank][step][-1]["samples"] == expected[rank][step][-1]["samples"] for rank in expected for step in steps)
    apart = max(abs(found[0][step][-1]["train/loss"] - expected[0][step][-1]["train/loss"]) for step in steps)
    return at, first, len(steps), "yes" if same else "NO", f"{apart:.1e}", status


if __name__ == "__main__":
    main()
