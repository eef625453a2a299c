"""The ranks of a training as one barrier stage of Spark's: on this machine, or one task per rank on a cluster's nodes."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import training
from cluster.executors import WAIT, python_lacking, wait_s
from cluster.lost_executors import executors_lost
from jobs.text_table import escaped
from jobs.training_stop import PATIENT, stopping_ranks
from schemas.errors import MissingError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

POLL_S = 0.5


def by_spark(spark: "SparkSession", words: Sequence[str], ranks: int) -> int:
    """Run `training.train` with these words as `ranks` ranks; returns 0, or 1 when a rank or its node was lost.

    Raises `MissingError` when the cluster has no room for the ranks, or no Python for them.
    """
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    from cluster.stages import executor_gpus, is_local
    from jobs.training_gpus import TaskGpus

    spark.conf.set("deepspeed.spark.distributor.ignoreSsl", "true")
    local = is_local(spark)
    nodes, each = (1, ranks) if local else (ranks, 1)
    if not local:
        await_slots(spark, ranks)
    with_gpus = not local and executor_gpus(spark) > 0
    distributor = TaskGpus(numGpus=each, nnodes=nodes, localMode=local, useGpu=with_gpus)
    try:
        with redirect_stdout(sys.stderr):
            if local:
                os.environ |= PATIENT
                with stopping_ranks("spark"):
                    distributor.run(str(Path(training.__file__).with_name("train.py")), *words)
            else:
                distributor.run(carried(words))
    except (RuntimeError, Py4JError, PySparkException) as error:
        lacking = python_lacking(error) or executors_lost(error)
        if lacking is not None:
            raise lacking from None
        print(f"train: {escaped(str(error).strip().partition(chr(10))[0])}", file=sys.stderr, flush=True)
        return 1
    return 0


def await_slots(spark: "SparkSession", ranks: int) -> None:
    """Return when so many tasks can run at once; Spark itself would wait for ten minutes, and then fail.

    Raises `MissingError` when they do not come in the time that `spark.talkvid.executorWait` gives.
    """
    scala = spark.sparkContext._jsc.sc()
    limit_s = wait_s(spark)
    ends = time.monotonic() + limit_s
    slots = -1
    while slots < ranks:
        if scala.isStopped():
            raise MissingError("the cluster's master took the application off: see its log, and run it again to go on")
        slots = scala.maxNumConcurrentTasks(scala.resourceProfileManager().defaultResourceProfile())
        if slots < ranks and time.monotonic() > ends:
            raise MissingError(
                f"{ranks} ranks need as many tasks at once, and the cluster has room for {slots} ({WAIT}, {limit_s:.0f} s): start workers, or take fewer ranks"
            )
        time.sleep(POLL_S if slots < ranks else 0)


def carried(words: Sequence[str]) -> Callable[[], None]:
    """A function that brings the project with it: the executors' machines need no checkout."""
    from cluster.package import packed

    project, words = packed(), list(words)

    def start() -> None:
        import sys
        import tempfile
        from pathlib import Path

        with tempfile.TemporaryDirectory(prefix="talkvid-") as folder:
            zipped = Path(folder, "talkvid.zip")
            zipped.write_bytes(project)
            sys.path.insert(0, str(zipped))
            from training.train import main

            status = main(words)
        if status:
            raise SystemExit(status)

    return start
