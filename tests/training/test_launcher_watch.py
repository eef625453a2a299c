"""A rank does not outlive what started it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
RANK = "import time; from training.launcher_watch import end_with_launcher; end_with_launcher(); print('ready', flush=True); time.sleep(600)"
LAUNCHER = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {RANK!r}])"
TASK = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {LAUNCHER!r}])"


def test_a_rank_and_its_launcher_end_when_the_task_is_killed():
    task = subprocess.Popen([sys.executable, "-c", TASK], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert task.stdout is not None and task.stdout.readline() == "ready\n"
    below = psutil.Process(task.pid).children(recursive=True)
    assert len(below) == 2
    time.sleep(1.5)
    assert all(process.is_running() for process in below)
    os.kill(task.pid, signal.SIGKILL)
    task.wait()
    _, left = psutil.wait_procs(below, timeout=60)
    for process in left:
        process.kill()
    assert left == []
