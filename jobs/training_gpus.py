"""Ranks on a cluster and their GPUs. Imported only where ranks are started by Spark: pyspark's distributor is heavy."""

import os
from collections.abc import Callable, Iterator
from typing import Any

from pyspark.ml.deepspeed.deepspeed_distributor import DeepspeedTorchDistributor


class TaskGpus(DeepspeedTorchDistributor):
    """pyspark's distributor, whose ranks have the GPU of their task. By itself it leaves it at CUDA_VISIBLE_DEVICES where the executor was
    started with that variable: to a GPU that may be another rank's, and to as many ranks as the variable has names."""

    def _get_spark_task_function(self, *given: Any, **named: Any) -> Callable[[Iterator[Any]], Iterator[Any]]:
        work = super()._get_spark_task_function(*given, **named)

        def start(rows: Iterator[Any]) -> Iterator[Any]:
            os.environ.pop("CUDA_VISIBLE_DEVICES", None)
            os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # as nvidia-smi counts, which gave Spark the addresses
            yield from work(rows)

        return start
