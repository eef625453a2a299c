"""`talkvid maintain`: joins the small files of every table and deletes files that no version needs any more."""

import sys
from argparse import ArgumentParser, Namespace
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from jobs import metadata
from jobs.arguments import natural
from jobs.history import new_run_id, record
from jobs.job import Job
from jobs.summary import Summary
from schemas import storage, unfinished, uploads
from schemas.commits import commit
from schemas.lake import Lake
from schemas.ledger import now
from schemas.row_groups import GroupedTable
from schemas.tables import TABLES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

GROUPED = ("samples",)
"""Training reads even row groups: files are joined in a way of their own."""
LONGEST_TRAINING = timedelta(days=30)
"""A trainer that has not told its end for so long is taken to be gone."""


@dataclass(frozen=True)
class MaintainConfig:
    """Files that no version of the last `vacuum_hours` needs are deleted."""

    vacuum_hours: int = 168


def arguments(parser: ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("--vacuum-hours", metavar="H", type=natural, default=168, help="keep what versions of the last H hours need, for time travel")


def configure(args: Namespace) -> MaintainConfig:
    """The configuration of a command line."""
    return MaintainConfig(args.vacuum_hours)


def run(spark: "SparkSession | None", lake: Lake, config: MaintainConfig) -> Summary:
    """files → fewer files. Rows stay as they are, so that no verb takes this for new input (law 7)."""
    started = now()
    was_current = metadata.is_current(lake)
    kept = versions_in_training(lake)
    lines, before, after = [], 0, 0
    tables = [name for name in TABLES if lake.place.version(name) >= 0]
    for name in tables:
        found = data_files(lake, name)
        _tidy(lake, name, config.vacuum_hours, sorted(kept[name]))
        left = data_files(lake, name)
        lines.append(f"{name}={found},{left}")
        before, after = before + found, after + left
    if was_current:
        metadata.keep_state(lake)
    if lake.place.is_local:
        unfinished.sweep_below(lake.place.root)
    else:
        uploads.abort_in_lake(lake.place.root)
    summary = Summary("maintain", {"in": len(tables), "files_before": before, "files_after": after}, results="\n".join(lines))
    summary.notes = [f"maintain: version {version} of {name} is being trained on, its files stay" for name in kept for version in sorted(kept[name])]
    record(lake, summary, config, run_id=new_run_id("maintain"), started=started, depends_on=())
    return summary


def data_files(lake: Lake, name: str) -> int:
    """Files that lie in a table's folder, its log apart."""
    return sum("/_delta_log/" not in entry.uri for entry in storage.listed(lake.place.table(name)))


def versions_in_training(lake: Lake) -> dict[str, set[int]]:
    """Versions of tables that trainers which have not told their end stream from, by their rows in `runs` (law 9)."""
    kept: dict[str, set[int]] = defaultdict(set)
    rows = [row for row in lake.ledger.read("runs").to_pylist() if row["verb"] == "train"]
    ended = {row["run_id"] for row in rows if row["finished"] is not None}
    for row in rows:
        if row["run_id"] not in ended and (row["started"] is None or now() - row["started"] < LONGEST_TRAINING):
            for name, version in row["input_versions"] or ():
                kept[name].add(version)
    return kept


def _tidy(lake: Lake, name: str, hours: int, kept: list[int]) -> None:
    """Join small files, delete what is not needed, and leave a checkpoint, so that the log need not be read from its beginning."""
    if name in GROUPED:
        GroupedTable(lake.ledger, name).level()
    else:
        lake.ledger.compact(name, most_files=1)
    opened = lake.ledger.open(name)
    vacuum = partial(opened.vacuum, hours, dry_run=False, enforce_retention_duration=False, full=True, keep_versions=kept or None)
    commit(lake.place, opened, lambda properties: vacuum(commit_properties=properties))
    opened = lake.ledger.open(name)
    opened.create_checkpoint()
    opened.cleanup_metadata()


JOB = Job("maintain", "compact and vacuum every table", arguments, configure, run, needs_spark=lambda config: False, limit="")

if __name__ == "__main__":
    from jobs.cli import main

    main(["maintain", *sys.argv[1:]])
