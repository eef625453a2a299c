"""Where Spark meets the work on rows: bins of work items become tasks, scorers become SQL functions."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from schemas.spark import spark_schema, spark_type
from udfs.device import GPU_ADDRESS
from udfs.isolation import Rows, Worker, isolated
from udfs.memory_cap import ALONE, Room, cap_memory
from udfs.progress import Reporter

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.resource import ResourceProfile
    from pyspark.sql import SparkSession

Item = dict[str, Any]
POOL = "TALKVID_POOL"
"""Python workers are reused only by stages of one pool: those that hold a GPU never serve, nor wait beside, a CPU stage."""


def map_bins(
    spark: "SparkSession",
    bins: Sequence[Sequence[Item]],
    worker: Worker,
    *,
    schema: pa.Schema,
    on_death: Callable[[Item], Rows],
    label: Callable[[Item], str],
    reporter: Reporter,
    profile: "ResourceProfile | None" = None,
    pool: str = "",
    worker_gib: float = 1.0,
    room: Room = ALONE,
) -> pa.Table:
    """Run `worker` over every bin, one bin a task; returns all result rows, in the order of bins and of finishing.

    Items cross as JSON, rows come back as Arrow in `schema`. A task that runs again after its Python worker died does its
    items in child processes (`udfs.isolation`). `profile` says what a task takes of its executor; stages that load models on
    GPUs give a `pool` of their own, so that no idle Python worker of another stage keeps a model beside theirs. `worker_gib` is what a
    worker should take: far above it, or where it leaves too little of the `room` to others, it is killed (`udfs.memory_cap`).
    """

    def work(batches: Iterator["pd.DataFrame"]) -> Iterator["pd.DataFrame"]:
        from pyspark import TaskContext

        context = TaskContext.get()
        again = context is not None and context.attemptNumber() > 0
        cap_memory(worker_gib, room)
        take_gpu()
        for batch in batches:
            for text in batch["items"]:
                yield from _frames(_done(json.loads(text), again), schema)

    def _done(items: list[Item], again: bool) -> Iterator[Rows]:
        reporter.started(label(items[0]))
        for position, rows in isolated(worker, items, on_death) if again else worker(items):
            reporter.finished(label(items[position]))
            yield rows

    tasks = spark.createDataFrame([(number, json.dumps(list(items))) for number, items in enumerate(bins)], "number int, items string")
    # by range: dealt round, rows of several partitions fall on one another, and some tasks would have two bins and others none
    spread = tasks.repartitionByRange(len(bins), "number")
    with _pool(spark, pool):
        rows = spread.mapInPandas(work, spark_schema(schema), profile=profile)
    return rows.toArrow()


def take_gpu() -> str | None:
    """Tell this Python worker the GPU that Spark gave its task, and return its address; None for a task without one.

    An address is the node's number of a GPU, and CUDA counts within CUDA_VISIBLE_DEVICES: so with an address that variable, which Spark does
    not set but an executor's environment may have (cluster.md §2), is removed, for child processes too, and CUDA counts in the node's order,
    not from the fastest card on. Called before CUDA is first used.
    """
    from pyspark import TaskContext

    context = TaskContext.get()
    gpu = context.resources().get("gpu") if context is not None else None
    if gpu is None:
        os.environ.pop(GPU_ADDRESS, None)
        return None
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    os.environ[GPU_ADDRESS] = gpu.addresses[0]
    return gpu.addresses[0]


@contextmanager
def _pool(spark: "SparkSession", name: str) -> Iterator[None]:
    """Functions made meanwhile run in Python workers of that pool only: Spark keeps them apart by their environment."""
    environment = spark.sparkContext.environment
    if name:
        environment[POOL] = name
    try:
        yield
    finally:
        environment.pop(POOL, None)


def _frames(results: Iterator[Rows], schema: pa.Schema) -> Iterator["pd.DataFrame"]:
    """Result rows as frames, one per finished item; nested values stay Python objects."""
    import pandas as pd

    for rows in results:
        if rows:
            columns = {name: pd.Series([row.get(name) for row in rows], dtype=object) for name in schema.names}
            yield pd.DataFrame(columns)


def register_functions(spark: "SparkSession") -> list[str]:
    """Make every scorer whose weights are there a SQL function `name(clip_id, uri, start_s, end_s)` that returns its struct,
    and `shots(uri)` one that returns an array of shots.

    They are nondeterministic to Spark, so that each call is evaluated once. Returns their names.
    """
    from udfs.registry import available_scorers

    names, _ = available_scorers()
    alone = spark.sparkContext.master.startswith("local")
    for name in names:
        spark.udf.register(name, _scorer_function(name, alone))
    spark.udf.register("shots", _shots_function())
    return [*names, "shots"]


def _shots_function() -> Any:
    """The pandas UDF `shots(uri)`."""
    import pandas as pd
    from pyspark.sql.functions import pandas_udf

    from udfs.sql_functions import SHOT

    @pandas_udf(f"array<{spark_type(SHOT).simpleString()}>")
    def function(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        from udfs.sql_functions import shots_of

        for uris in batches:
            yield pd.Series([shots_of(uri) for uri in uris], dtype=object)

    return function.asNondeterministic()


def _scorer_function(name: str, alone: bool) -> Any:
    """The pandas UDF of one scorer. On a cluster (not `alone`) it takes a GPU only when Spark gave its task one."""
    import pandas as pd
    from pyspark.sql.functions import pandas_udf

    from schemas.scores import struct_of

    type_ = struct_of(name)
    columns = [field.name for field in type_]

    # As text, because Spark compares the types with their comments, which pandas does not carry.
    @pandas_udf(spark_type(type_).simpleString())
    def function(batches: Iterator[tuple[pd.Series, pd.Series, pd.Series, pd.Series]]) -> Iterator[pd.DataFrame]:
        from udfs.sql_functions import score_calls

        device = "cuda" if take_gpu() else "auto" if alone else "cpu"
        for batch in batches:
            rows = score_calls(name, list(zip(*batch)), device)
            yield pd.DataFrame({column: pd.Series([row[column] for row in rows], dtype=object) for column in columns})

    return function.asNondeterministic()
