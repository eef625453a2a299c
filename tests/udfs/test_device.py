"""Which device a worker gets, and what its rows say of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from udfs import device as devices
from udfs.registry import build
from udfs.scorer import Device

CLAIM = "from udfs import device; device.gpu_names = lambda: ['0', '1']; print(device.claim('cuda').index, flush=True); input()"


@pytest.fixture
def two_gpus(monkeypatch, tmp_path: Path):
    """A machine that shows two GPUs, none of them taken."""
    monkeypatch.setattr(devices, "gpu_names", lambda: ["0", "1"])
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


@pytest.mark.parametrize(
    ("chosen", "left"),
    [(None, ["0", "1", "2", "3"]), ("2, 0", ["2", "0"]), ("", []), ("-1", []), ("1,7,2", ["1"]), ("GPU-5f1c,MIG-8a", ["GPU-5f1c", "MIG-8a"])],
)
def test_gpus_that_the_user_hid_are_not_counted(monkeypatch, tmp_path: Path, chosen: str | None, left: list[str]):
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\nfor gpu in 0 1 2 3; do echo GPU $gpu: made up; done\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    if chosen is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert devices.gpu_names() == left
    assert devices.visible_gpus() == len(left)


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
