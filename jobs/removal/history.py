"""Older versions of a table: found where they still name the target, and taken away, so that neither time travel, nor the log, nor a
leftover file has it."""

import re
from functools import partial
from typing import TYPE_CHECKING

from jobs.removal.rows import count_named, ordered
from jobs.removal.target import Target
from schemas import delta_log, held, s3, storage
from schemas.commits import commit
from schemas.duck_store import reach
from schemas.lake import Lake

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_LOG = re.compile(r"_delta_log/(\d{20})\.")
_KEPT_LOGS = ("_last_checkpoint",)


def tables_with_a_past(lake: Lake, target: Target) -> list[str]:
    """Tables of which a log file, or a file that is no longer part of them, names the target."""
    return [name for name in ordered() if any(True for _ in naming_files(lake, name, target))]


def naming_files(lake: Lake, name: str, target: Target) -> "list[str]":
    """Files below a table, logs and leftovers, that name the target."""
    import duckdb

    current = {storage.address(file) for file in lake.ledger.files(name)}
    engine = duckdb.connect()
    reach(engine, lake.place)
    found = []
    for entry in storage.listed(lake.place.table(name)):
        if entry.uri not in current and _names(engine, entry.uri, target):
            found.append(entry.uri)
    return found


def _names(engine: "DuckDBPyConnection", uri: str, target: Target) -> bool:
    """Whether a file names the target, in its text or in the values of a Parquet file. One that cannot be read is taken to."""
    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not uri.endswith(".parquet"):
        return target.named_by((storage.read_bytes(uri) or b"").decode(errors="replace"))
    try:
        with storage.open_file(uri) as file:
            schema = pq.read_schema(file)
        return count_named(engine, s3.spelled(uri, "s3"), schema, target) > 0
    except (pa.ArrowInvalid, duckdb.Error):
        return True


def forget(lake: Lake, name: str) -> None:
    """Leave a table with its newest version only: VACUUM at 0 hours, a checkpoint, and no log file below it. The caller holds the lease.

    Raises `BusyError` before the next file is deleted when it was lost: whoever took the lake over may have committed since.
    """
    opened = lake.ledger.open(name)
    vacuum = partial(opened.vacuum, 0, dry_run=False, enforce_retention_duration=False, full=True)
    commit(lake.place, opened, lambda properties: vacuum(commit_properties=properties))
    opened = lake.ledger.open(name)
    commit(lake.place, opened, lambda properties: opened.create_write_transaction([], "append", opened.schema(), commit_properties=properties))
    opened = lake.ledger.open(name)
    opened.create_checkpoint()
    newest = opened.version()
    current = {storage.address(file) for file in lake.ledger.files(name)}
    for entry in sorted(storage.listed(lake.place.table(name)), key=lambda entry: entry.uri):
        below = entry.uri[len(lake.place.table(name)) + 1 :]
        version = _LOG.match(below)
        if version:
            leaves = int(version[1]) < newest
        elif below.startswith("_delta_log/"):
            leaves = below.partition("/")[2] not in _KEPT_LOGS
        else:
            leaves = entry.uri not in current
        if leaves:
            held.check(lake.place.root)
            storage.delete(entry.uri)
    assert delta_log.newest_version(lake.place.table(name)) == newest
