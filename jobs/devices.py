"""Which device a stage uses: on a cluster the executors decide, not what the driver's machine shows."""

from typing import TYPE_CHECKING

from cluster.stages import Stage, executor_gpus, is_local, stage
from schemas.errors import MissingError
from udfs.device import resolve, visible_gpus
from udfs.memory_cap import Room

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def stage_device(spark: "SparkSession", wanted: str) -> str:
    """`cpu` or `cuda` for a user's `auto`, `cpu` or `cuda`. Raises `MissingError` for `cuda` where executors have no GPU."""
    if is_local(spark):
        return resolve(wanted)
    gpus = executor_gpus(spark)
    if wanted == "cuda" and not gpus:
        raise MissingError("--device cuda: the executors have no GPU; set spark.executor.resource.gpu.amount=1 (talkvid cluster-conf prints all of it)")
    return "cuda" if gpus and wanted != "cpu" else "cpu"


def layout(spark: "SparkSession", device: str = "cpu", worker_gib: float = 1.0) -> Stage:
    """How tasks for workers of `worker_gib` each on `device` (`cpu` or `cuda`) lie on the executors, or on this machine's GPUs."""
    gpus = visible_gpus() if device == "cuda" and is_local(spark) else 1
    return stage(spark, device, worker_gib, gpus)


def room(place: Stage) -> Room:
    """What the workers of such a stage share on an executor."""
    return Room(place.at_once, place.python_gib, place.heap_gib)
