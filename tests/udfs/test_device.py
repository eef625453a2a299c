"""Which device a worker gets, and what its rows say of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from udfs import device as devices
from udfs.registry import build
from udfs.scorer import Device

CLAIM = "from udfs import device; device.visible_gpus = lambda: 2; print(device.claim('cuda').index, flush=True); input()"


@pytest.fixture
def two_gpus(monkeypatch, tmp_path: Path):
    """A machine that shows two GPUs, none of them taken."""
    monkeypatch.setattr(devices, "visible_gpus", lambda: 2)
    monkeypatch.setattr(devices, "_held", [])
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(devices.tempfile, "tempdir", None)
    yield
    monkeypatch.setattr(devices.tempfile, "tempdir", None)


def test_process_keeps_the_gpu_that_it_claimed(two_gpus):
    assert devices.claim("cuda") == devices.claim("cuda") == Device("cuda", 0)


def test_two_processes_never_share_a_gpu_and_a_dead_one_gives_it_back(two_gpus):
    other = subprocess.Popen([sys.executable, "-c", CLAIM], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    assert other.stdout.readline().strip() == "0"
    assert devices.claim("cuda").index == 1
    other.kill()
    other.wait()
    third = subprocess.run([sys.executable, "-c", CLAIM], input="\n", capture_output=True, text=True, timeout=60)
    assert third.stdout.strip() == "0"


def test_address_that_spark_gave_wins(two_gpus, monkeypatch):
    monkeypatch.setenv(devices.GPU_ADDRESS, "3")
    assert devices.claim("cuda", threads=2) == Device("cuda", 3, 2)


def test_rows_of_scorers_without_a_network_say_cpu_and_float32():
    offered = Device("cuda", 1, 4, "bfloat16")
    for scorer in build(["technical", "flow"]):
        assert scorer.runs_on(offered) == Device("cpu", 0, 4, "float32")


def test_networks_that_can_work_in_bfloat16_are_given_it():
    from udfs.cotracker import CoTracker
    from udfs.dover import Dover
    from udfs.sync import Sync

    offered = Device("cuda", 1, 4, "bfloat16")
    assert Dover().runs_on(offered) == CoTracker().runs_on(offered) == offered
    assert Sync().runs_on(offered) == Device("cuda", 1, 4, "float32")
