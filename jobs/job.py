"""The shape of every job: what the command line needs to know of it."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs.summary import Summary

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from schemas.lake import Lake


def _never_idle(lake: "Lake", config: Any) -> Summary | None:
    return None


@dataclass(frozen=True)
class Job:
    """A verb. `run` reads, transforms and writes; the rest lets the caller prepare, or spare, that run.

    `configure` turns parsed arguments into a frozen configuration (raises `UsageError`). `check` raises `MissingError` for
    what can be known to be missing before Spark starts. `idle` answers with a summary when the lake already holds the
    result, so that Spark is not started (law 7). `needs_spark`, `takes_lease` and `creates_lake` (the verb may be the first one) may
    depend on the configuration; `run` gets None for `spark` where it needs none. `spark_reads_lake`: Spark itself
    opens the lake's tables, so that a lake in a store needs the jars and settings for that. `limit`: what `--limit N` does, empty where
    there is nothing to limit, so that it is refused.
    """

    verb: str
    help: str
    arguments: Callable[[ArgumentParser], None]
    configure: Callable[[Namespace], Any]
    run: Callable[["SparkSession | None", "Lake", Any], Summary]
    check: Callable[["Lake", Any], None] = lambda lake, config: None
    idle: Callable[["Lake", Any], Summary | None] = _never_idle
    needs_spark: Callable[[Any], bool] = lambda config: True
    takes_lease: Callable[[Any], bool] = lambda config: True
    creates_lake: Callable[[Any], bool] = lambda config: False
    prints_summary: bool = True
    spark_reads_lake: bool = False
    limit: str = "work on at most N new inputs"
