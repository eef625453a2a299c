"""Two ranks under ZeRO-2 against one, the same global batch, float32: `python -m benchmarks.ranks LAKE [--steps 10]`, LAKE prepared with --smoke.

To be shown: the losses are the same to 1e-4, for each stage. Exits 1 when they are not.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.limits import judged, largest
from benchmarks.table import show
from training.metrics_log import seen

WITHIN = 1e-4


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lake")
    parser.add_argument("--steps", type=int, default=10)
    arguments = parser.parse_args()
    rows, limits = [], {}
    with tempfile.TemporaryDirectory() as scratch:
        for stage in (1, 2, 3):
            one, two = (_losses(arguments.lake, Path(scratch, f"{stage}-{ranks}"), stage, ranks, arguments.steps) for ranks in (1, 2))
            apart = largest(abs(one[step] - two[step]) / abs(one[step]) for step in one.keys() & two.keys())
            good = apart <= WITHIN and one.keys() == two.keys() and len(one) == arguments.steps
            rows.append((stage, len(one), f"{one[max(one)]:.6f}", f"{two[max(two)]:.6f}", f"{apart:.1e}", "yes" if good else "NO"))
            limits[f"stage {stage}: all {arguments.steps} losses within {WITHIN:g}"] = good
    show("ZeRO-2, 2 CPU ranks against 1, float32", ("stage", "steps", "last loss, 1 rank", "2 ranks", "largest relative difference", "within 1e-4"), rows)
    judged(limits)


def _losses(lake: str, output: Path, stage: int, ranks: int, steps: int) -> dict[int, float]:
    settings = {"start": "random", "steps": steps, "batch_per_rank": 2 // ranks, "checkpoint_every": steps, "validate_every": 0, "engine": "deepspeed"}
    words = ["--stage", str(stage), "--smoke", "--lake", lake, "--output", str(output), "--num-gpus", str(ranks), "--device", "cpu", "--quiet"]
    words += [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    subprocess.run([sys.executable, "-m", "jobs.cli", "train", *words], check=True, stdout=subprocess.DEVNULL)
    return {step: records[-1]["train/loss"] for step, records in seen(output / f"stage_{stage}")[0].items()}


if __name__ == "__main__":
    main()
