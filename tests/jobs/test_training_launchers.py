"""Each way of starting ranks: a signal has them save their step, and started again they go on to the model."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.training_lake import make
from training import checkpoint_store, exported
from training.metrics_log import seen

ROOT = Path(__file__).parents[2]
SETTINGS = {"start": "random", "workers": 0, "batch_per_rank": 1, "checkpoint_every": 100_000, "validate_every": 0}


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> str:
    return make(str(tmp_path_factory.mktemp("launchers") / "lake"), 3).place.root


def started(lake: str, output: Path, launcher: str, ranks: int, steps: int) -> subprocess.Popen:
    words = [sys.executable, "-m", "jobs.train", "--lake", lake, "--stage", "3", "--smoke", "--output", str(output), "--launcher", launcher]
    words += ["--num-gpus", str(ranks), "--device", "cpu", "--quiet", "--json", "--set", f"steps={steps}"]
    words += [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("launcher", "ranks"), [("local", 2), ("torchrun", 2), ("deepspeed", 2)])
def test_a_signal_saves_the_step_and_the_run_goes_on_to_its_model(lake, tmp_path, launcher, ranks):
    stage = tmp_path / "stage_3"
    run = started(lake, tmp_path, launcher, ranks, 1_000_000)
    while run.poll() is None and min(map(len, seen(stage).values()), default=0) < 2:
        time.sleep(0.2)
    run.send_signal(signal.SIGTERM)
    _, said = run.communicate(timeout=120)
    assert run.returncode == 143, said[-3000:]
    step = checkpoint_store.newest(str(stage))
    assert step is not None, said[-3000:]
    assert step.manifest.world == ranks and step.manifest.step == max(seen(stage)[0]) >= 2
    run = started(lake, tmp_path, launcher, ranks, step.manifest.step + 1)
    told, said = run.communicate(timeout=120)
    assert run.returncode == 0, said[-3000:]
    told = json.loads(told)
    assert (told["first_step"], told["steps"]) == (step.manifest.step, 1)
    assert exported.find(stage).fingerprint == told["fingerprint"]
