"""A rank does not outlive what started it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
RANK = """
import sys, time
from training.launcher_watch import end_with_launcher
end_with_launcher(int(sys.argv[1]))
print("ready", flush=True)
time.sleep(600)
"""
ABOVE = "import subprocess, sys; subprocess.run([sys.executable, '-c', {!r}, *sys.argv[1:]])"


@pytest.mark.parametrize("ancestors", [1, 2, 3])
def test_a_rank_and_what_is_above_it_end_when_the_uppermost_is_killed(ancestors):
    program = RANK
    for _ in range(ancestors):
        program = ABOVE.format(program)
    words = [sys.executable, "-c", program, str(ancestors)]
    first = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert first.stdout is not None and first.stdout.readline() == "ready\n"
    below = psutil.Process(first.pid).children(recursive=True)
    assert len(below) == ancestors
    time.sleep(1.5)
    assert all(process.is_running() for process in below)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    _, left = psutil.wait_procs(below, timeout=60)
    for process in left:
        process.kill()
    assert left == []
