"""A Python worker takes the GPU of its task, whatever CUDA_VISIBLE_DEVICES said where the executor was started."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pyspark
import pytest

from udfs.device import GPU_ADDRESS, claim
from udfs.scorer import Device
from udfs.spark import take_gpu

HIDES = "CUDA_VISIBLE_DEVICES"


@pytest.fixture
def task(monkeypatch):
    """Makes this process the worker of a task with these resources, where the executor was started with GPU 7 alone visible."""
    monkeypatch.setenv(HIDES, "7")
    monkeypatch.setenv(GPU_ADDRESS, "gone")
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "FASTEST_FIRST")

    def of(**resources: list[str]) -> None:
        given = {name: SimpleNamespace(addresses=addresses) for name, addresses in resources.items()}
        monkeypatch.setattr(pyspark.TaskContext, "get", lambda: SimpleNamespace(resources=lambda: given))

    return of


def test_the_address_of_the_task_is_the_machine_s_number_of_its_gpu(task):
    task(gpu=["1"])
    assert take_gpu() == "1"
    assert claim("cuda") == Device("cuda", 1)
    assert HIDES not in os.environ and os.environ["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    seen = subprocess.run([sys.executable, "-c", f"import os; print(os.environ.get('{HIDES}'))"], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "None"


def test_where_spark_gives_no_gpu_the_user_s_choice_stands(task):
    task()
    assert take_gpu() is None
    assert os.environ[HIDES] == "7"
    assert GPU_ADDRESS not in os.environ
