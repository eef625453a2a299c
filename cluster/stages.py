"""How the tasks of a stage are laid out on the executors: with a GPU each, wide, or narrow (cluster.md §2).

The executors of an application are laid out once (`cluster.resources`); a stage that wants other tasks than the default says so in
a resource profile that holds for its tasks only, so that no executor is started or given back.
"""

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from schemas.errors import UsageError

if TYPE_CHECKING:
    from pyspark.resource import ResourceProfile
    from pyspark.sql import SparkSession

WORKER_GIB = "spark.talkvid.worker.memoryGiB"
"""Setting: memory of an executor that its Python workers may share, in GiB; `cluster-conf` prints it."""
_UNITS_GIB = {"k": 2**-20, "": 2**-10, "m": 2**-10, "g": 1.0, "t": 1024.0}


@dataclass(frozen=True)
class Stage:
    """Where a stage runs: `slots` tasks at once, each as `profile` says (None: as the application's default), by the Python workers
    of `pool`; `cores` of a task are for its decoders. `one_bin_each`: Spark would start more tasks at once than there are slots, so
    each slot has one task, which does all its work. An executor runs `at_once` of the tasks, whose workers may take `python_gib` together
    (None: nobody said), beside a JVM with a heap of up to `heap_gib`. In local mode `at_once` is 1: nothing lays memory out for all cores there,
    and where it is short the kernel ends the largest process alone."""

    slots: int
    profile: "ResourceProfile | None" = None
    pool: str = ""
    cores: int = 1
    one_bin_each: bool = False
    at_once: int = 1
    python_gib: float | None = None
    heap_gib: float = 0.0


def is_local(spark: "SparkSession") -> bool:
    """True where driver and workers are one machine's."""
    return spark.sparkContext.master.startswith("local")


def stage(spark: "SparkSession", device: str = "cpu", worker_gib: float = 1.0, local_gpus: int = 1) -> Stage:
    """The stage for workers of `worker_gib` each on `device`. CPU stages are wide, a core a task, unless memory makes them narrow.
    In local mode, where Spark knows of no GPU, a GPU stage has a task for each of the machine's `local_gpus`, which share its cores.

    Raises `UsageError` for executors with more than one GPU, whose Python workers would change GPUs, and for a `WORKER_GIB` that is no
    number.
    """
    context = spark.sparkContext
    total = max(1, context.defaultParallelism)
    if is_local(spark):
        heap = _heap_gib(spark, "spark.driver.memory")
        if device != "cuda":
            return Stage(total, heap_gib=heap)
        slots = max(1, min(local_gpus, total))
        return Stage(slots, pool=_pool(device), cores=total // slots, one_bin_each=True, heap_gib=heap)
    python, heap = _executor_gib(spark), _heap_gib(spark, "spark.executor.memory")
    cores = _executor_cores(spark, total)
    if device == "cuda":
        if executor_gpus(spark) > 1:
            raise UsageError("executors with several GPUs are not supported: set spark.executor.resource.gpu.amount=1, and more executors")
        return Stage(executors(spark), _profile(context.applicationId, cores, gpu=True), _pool(device), cores, python_gib=python, heap_gib=heap)
    taken = _cores_for(worker_gib, python, cores)
    default = int(spark.conf.get("spark.task.cpus", "1")) == taken and not float(spark.conf.get("spark.task.resource.gpu.amount", "0"))
    profile = None if default else _profile(context.applicationId, taken, gpu=False)
    return Stage(max(1, total // taken), profile, cores=taken, at_once=max(1, cores // taken), python_gib=python, heap_gib=heap)


def executors(spark: "SparkSession") -> int:
    """Executors that are registered now, at least 1."""
    tracker = spark.sparkContext._jsc.sc().statusTracker()
    return max(1, len(tracker.getExecutorInfos()) - 1)


def _pool(device: str) -> str:
    return device if device == "cuda" else ""


def _cores_for(worker_gib: float, executor_gib: float | None, cores: int) -> int:
    """Cores that a task takes so that all workers of an executor fit its memory."""
    if executor_gib is None:
        return 1
    at_once = max(1, math.floor(executor_gib / worker_gib))
    return max(1, math.ceil(cores / at_once))


def _executor_cores(spark: "SparkSession", total: int) -> int:
    asked = spark.conf.get("spark.executor.cores", "")
    return int(asked) if asked else max(1, total // executors(spark))


def executor_gpus(spark: "SparkSession") -> int:
    """GPUs of each executor, by the application's settings."""
    return int(spark.conf.get("spark.executor.resource.gpu.amount", "0"))


def _executor_gib(spark: "SparkSession") -> float | None:
    said = spark.conf.get(WORKER_GIB, "")
    if not said:
        return None
    if not re.fullmatch(r"\d{1,9}(\.\d+)?", said) or float(said) == 0:
        raise UsageError(f"--conf {WORKER_GIB}={said}: it takes a number of GiB, for example 24")
    return float(said)


def _heap_gib(spark: "SparkSession", key: str) -> float:
    """Largest heap of the JVM, by the setting; without a unit it is in MiB."""
    said = re.fullmatch(r"(\d+)([kmgt]?)b?", spark.conf.get(key, "1g").strip().lower())
    return int(said[1]) * _UNITS_GIB[said[2]] if said else 0.0


@lru_cache(maxsize=32)
def _profile(application: str, cores: int, gpu: bool) -> "ResourceProfile":
    """A task-only profile, made once per application: each new one would be a new entry in Spark's books."""
    from pyspark.resource import ResourceProfileBuilder, TaskResourceRequests

    asked = TaskResourceRequests().cpus(cores)
    if gpu:
        asked = asked.resource("gpu", 1)
    return ResourceProfileBuilder().require(asked).build
