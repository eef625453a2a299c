"""Each way of starting ranks without Spark: a signal has them save their step, and started again they go on to the model."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.training_lake import make
from training import checkpoint_store, exported
from training.metrics_log import seen

ROOT = Path(__file__).parents[2]
RANKS = 2
PATIENCE_S = 400.0
SETTINGS = {"start": "random", "workers": 0, "batch_per_rank": 1, "checkpoint_every": 100_000, "validate_every": 0}


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> str:
    return make(str(tmp_path_factory.mktemp("launchers") / "lake"), 3).place.root


@pytest.fixture
def started(lake):
    """Starts a training of two ranks; neither it nor its ranks outlive the test."""
    begun = []

    def start(output: Path, launcher: str, steps: int) -> subprocess.Popen:
        words = [sys.executable, "-m", "jobs.train", "--lake", lake, "--stage", "3", "--smoke", "--output", str(output), "--launcher", launcher]
        words += ["--num-gpus", str(RANKS), "--device", "cpu", "--quiet", "--json", "--set", f"steps={steps}"]
        words += [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        begun.append(subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return begun[-1]

    yield start
    for run in begun:
        if run.poll() is None:
            below = psutil.Process(run.pid).children(recursive=True)
            run.kill()
            for process in below:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        run.communicate()


@pytest.mark.parametrize("launcher", ["local", "torchrun", "deepspeed"])
def test_a_signal_saves_the_step_and_the_run_goes_on_to_its_model(started, tmp_path, launcher):
    stage, deadline = tmp_path / "stage_3", time.monotonic() + PATIENCE_S
    run = started(tmp_path, launcher, 1_000_000)
    while min(map(len, seen(stage).values()), default=0) < 2:
        assert run.poll() is None and time.monotonic() < deadline, "both ranks make their first steps"
        time.sleep(0.2)
    run.send_signal(signal.SIGTERM)
    _, said = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 143, said[-3000:]
    step = checkpoint_store.newest(str(stage))
    assert step is not None, said[-3000:]
    assert step.manifest.world == RANKS and step.manifest.step == max(seen(stage)[0]) >= 2
    run = started(tmp_path, launcher, step.manifest.step + 1)
    told, said = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 0, said[-3000:]
    told = json.loads(told)
    assert (told["first_step"], told["steps"]) == (step.manifest.step, 1)
    assert exported.find(stage).fingerprint == told["fingerprint"]
