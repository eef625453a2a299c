"""Asking every executor of an application something."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cluster.stages import executor_gpus, executors, is_local

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TASKS_PER_SLOT = 2
LINGER_S = 1.0
"""A task lingers so that no executor takes all of them."""


@dataclass(frozen=True)
class Census:
    """Answers, one per executor that gave one; hosts of the executors, as the manager names them; why the job failed if it did."""

    answers: list[dict[str, Any]]
    hosts: list[str]
    error: str = ""


def census(
    spark: "SparkSession", ask: Callable[[], dict[str, Any]], take_gpu: Callable[[], Any], expressions: Mapping[str, str] = MappingProxyType({})
) -> Census:
    """Ask every executor once, after `take_gpu` said which GPU its task has. Its JVM is asked the SQL `expressions`, by name.

    An executor whose Python does not start gives no answer, and costs nobody else his.
    """
    context = spark.sparkContext
    count = task_count(spark)

    def answer(rows: Iterable[Any]) -> Iterator[dict[str, Any]]:
        import os

        gpu = take_gpu()
        told = ask()
        time.sleep(0 if count == 1 else LINGER_S)
        said = {name: value for row in rows for name, value in row.asDict().items()}
        yield told | said | {"gpu": gpu, "daemon": os.getppid()}

    error = ""
    try:
        columns = [f"{expression} AS {name}" for name, expression in expressions.items()]
        answers = spark.range(0, count, 1, count).selectExpr(*columns).rdd.mapPartitions(answer).collect()
    except Exception as problem:  # noqa: BLE001 - the doctor tells what is wrong with a cluster, whatever it is
        answers, error = [], _reason(str(problem))
    hosts = [info.host() for info in context._jsc.sc().statusTracker().getExecutorInfos()]
    driver = spark.conf.get("spark.driver.host", "")
    if driver in hosts:
        hosts.remove(driver)  # once: executors may live on the driver's machine
    once = {(told["host"], told["daemon"]): told for told in answers}
    return Census(list(once.values()), sorted(hosts), error)


def task_count(spark: "SparkSession") -> int:
    """Tasks that reach every executor."""
    slots = executors(spark) if executor_gpus(spark) else max(1, spark.sparkContext.defaultParallelism)
    return 1 if is_local(spark) else slots * TASKS_PER_SLOT


def _reason(text: str) -> str:
    """The line of Spark's long error that says why."""
    words = (
        "Cannot run program",
        "ModuleNotFoundError",
        "PYTHON_VERSION_MISMATCH",
        "Python in worker has different version",
        "Error from python worker",
        "ImportError",
    )
    for line in text.splitlines():
        if any(word in line for word in words):
            return line.strip()[:300]
    return next((line for line in text.splitlines() if line.strip()), "the job failed")[:300]
