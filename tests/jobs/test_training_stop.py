"""A signal's way from the verb to its ranks."""

import os
import shutil
import signal
import subprocess
import sys

import pytest

from jobs.training_stop import stop_ranks, stopping_ranks
from schemas.errors import Interrupted


@pytest.fixture
def started():
    """Starts a process with these words; it is ended with the test."""
    begun = []

    def start(*words: str) -> subprocess.Popen:
        begun.append(subprocess.Popen(words))
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.wait()


def test_ranks_are_found_beside_a_process_whose_name_the_kernel_has_cut_inside_a_character(started, tmp_path):
    started(shutil.copy(shutil.which("sleep"), tmp_path / ("\u00fc" * 8)), "100")
    rank = started(sys.executable, "-c", "import time; time.sleep(100)", "--ancestors")
    assert stop_ranks("local")
    assert rank.wait(timeout=60) == -signal.SIGTERM


def test_a_signal_before_there_are_ranks_interrupts_at_once():
    with pytest.raises(Interrupted) as interrupted, stopping_ranks("local"):
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("it went on")
    assert interrupted.value.exit_status == 128 + signal.SIGTERM


def test_a_signal_goes_to_the_ranks_and_the_verb_waits_for_them(started):
    rank, waited = started(sys.executable, "-c", "import time; time.sleep(100)", "--ancestors"), []
    with pytest.raises(Interrupted), stopping_ranks("local"):
        os.kill(os.getpid(), signal.SIGTERM)
        waited.append(rank.wait(timeout=60))
    assert waited == [-signal.SIGTERM]
