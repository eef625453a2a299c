"""`talkvid sql`: ask the tables, read-only; one query, or a prompt."""

import sys
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from jobs import metadata, sql_output
from jobs.job import Job
from jobs.sql_prompt import ask
from jobs.summary import Summary
from schemas.errors import UsageError
from schemas.lake import Lake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ENGINES = ("spark", "duckdb")


@dataclass(frozen=True)
class SqlConfig:
    """What to ask, of which engine, and how to print it. Without `query`, queries are read from the prompt."""

    query: str | None = None
    format: str = "table"
    engine: str = "spark"
    limit: int | None = None


class Engine(Protocol):
    """Something that answers queries over the lake and refuses everything else."""

    def answer(self, text: str) -> pa.RecordBatchReader:
        """The rows of one query. Raises `UsageError` for anything else and `MissingError` for a table or column that is not there."""

    def relations(self) -> list[str]:
        """Names of tables and views."""

    def describe(self, relation: str) -> pa.RecordBatchReader:
        """Columns of a table or view."""


def arguments(parser: ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("query", nargs="?", metavar="QUERY", help="one SQL query; without it, a prompt")
    parser.add_argument("-f", "--file", metavar="F", help="read the query from a file")
    parser.add_argument("--format", choices=sql_output.FORMATS, default="table", help="how rows are printed; --json is --format json")
    parser.add_argument("--engine", choices=ENGINES, default="spark", help="duckdb answers at once, but has no scorer functions")


def configure(args: Namespace) -> SqlConfig:
    """The configuration of a command line."""
    if args.query is not None and args.file is not None:
        raise UsageError("give a query or -f F, not both")
    return SqlConfig(_read(args.file) if args.file is not None else args.query, "json" if args.json else args.format, args.engine, args.limit)


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"-f {file} cannot be read: {error}") from None


def run(spark: "SparkSession | None", lake: Lake, config: SqlConfig) -> Summary:
    """Answer the query, or those of the prompt; rows go to stdout."""
    behind = metadata.behind(lake)
    if behind:
        print(f"sql: {behind} scored clips are not in clip_metadata yet; the next score or filter --save brings them in", file=sys.stderr)
    engine = _engine(spark, lake, config)
    if config.query is None:
        ask(engine, config.format, config.limit)
    else:
        sql_output.write(engine.answer(config.query), config.format, sys.stdout, config.limit)
        sys.stdout.flush()
    return Summary("sql", {})


def _engine(spark: "SparkSession | None", lake: Lake, config: SqlConfig) -> Engine:
    if spark is not None:
        from jobs.sql_spark import SparkEngine

        return SparkEngine(spark, lake)
    from jobs.sql_duckdb import DuckdbEngine

    return DuckdbEngine(lake)


JOB = Job(
    "sql",
    "ask the tables, read-only",
    arguments,
    configure,
    run,
    check=lambda lake, config: lake.place.require(),
    needs_spark=lambda config: config.engine == "spark",
    takes_lease=lambda config: False,
    prints_summary=False,
    spark_reads_lake=True,
    limit="print at most N rows",
)

if __name__ == "__main__":
    from jobs.cli import main

    main(["sql", *sys.argv[1:]])
