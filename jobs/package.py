"""`talkvid package`: the project as a zip for `spark-submit --py-files`."""

import sys
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

from cluster.package import write_package
from jobs.job import Job
from jobs.summary import Summary

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from schemas.lake import Lake

DEFAULT_OUT = "talkvid.zip"


@dataclass(frozen=True)
class PackageConfig:
    """Where the zip goes."""

    out: str = DEFAULT_OUT


def arguments(parser: ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("out", nargs="?", metavar="OUT.zip", default=DEFAULT_OUT, help="file to write")


def configure(args: Namespace) -> PackageConfig:
    """The configuration of a command line."""
    return PackageConfig(args.out)


def run(spark: "SparkSession | None", lake: "Lake", config: PackageConfig) -> Summary:
    """Write the zip."""
    target = write_package(Path(config.out).expanduser().absolute())
    with ZipFile(target) as archive:
        entries = len(archive.namelist())
    summary = Summary("package", {"in": entries, "written": 1}, outputs=[str(target)], results=str(target))
    summary.extra["bytes"] = target.stat().st_size
    return summary


JOB = Job(
    "package",
    "write the project as a zip for spark-submit --py-files",
    arguments,
    configure,
    run,
    needs_spark=lambda config: False,
    takes_lease=lambda config: False,
    limit="",
)

if __name__ == "__main__":
    from jobs.cli import main

    main(["package", *sys.argv[1:]])
