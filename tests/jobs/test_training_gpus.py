"""A rank on a cluster takes the GPU of its barrier task."""

import os
from types import SimpleNamespace

import pyspark
import pytest
from pyspark import BarrierTaskContext
from pyspark.ml.torch.distributor import TorchDistributor

from jobs.training_gpus import TaskGpus


class Task(BarrierTaskContext):
    """The first and only task of a stage, with GPU 1."""

    def __new__(cls) -> "Task":
        return object.__new__(cls)

    def partitionId(self) -> int:  # noqa: N802 - Spark's name
        return 0

    def resources(self) -> dict:
        return {"gpu": SimpleNamespace(addresses=["1"])}

    def getTaskInfos(self) -> list:  # noqa: N802 - Spark's name
        return [SimpleNamespace(address="127.0.0.1:1")]

    def allGather(self, message: str = "") -> list[str]:  # noqa: N802 - Spark's name
        return [message]


@pytest.mark.parametrize("said", [None, "", "7", "7,6"])
def test_a_rank_takes_the_gpu_of_its_task_whatever_its_executor_was_started_with(monkeypatch, said):
    for name in ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "NODE_RANK", "RANK", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, "")
    if said is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", said)
    monkeypatch.setattr(pyspark.BarrierTaskContext, "get", Task)
    distributor = object.__new__(TaskGpus)
    distributor.num_processes, distributor.use_gpu, distributor.is_spark_local_master = 1, True, False
    distributor.input_params, distributor.driver_address, distributor.log_streaming_server_port = {}, "127.0.0.1", -1
    ranks = []

    def rank(*words: object) -> None:
        ranks.append((os.environ["CUDA_VISIBLE_DEVICES"], TorchDistributor._get_torchrun_args(local_mode=False, num_processes=1)[1]))

    list(distributor._get_spark_task_function(rank, "train.py", None, None)(iter(())))
    assert ranks == [("1", 1)]
