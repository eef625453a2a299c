"""A Delta table's log as files: its versions, and what a commit says of itself. Costs a listing, not a replay."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from schemas import s3, storage

MAINTENANCE = frozenset({"OPTIMIZE", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES", "ADD COLUMN", "ADD CONSTRAINT"})
"""Delta operations that bring no new data, so that they do not count as new input."""
_OF_VERSION = re.compile(r"(\d{20})(\.json|\.checkpoint(\.\d+\.\d+)?\.parquet)$")


def newest_version(table: str) -> int:
    """Newest version of the table at an address; -1 where there is none."""
    names = _stored_names(table) if storage.is_remote(table) else (entry.name for entry in Path(table, "_delta_log").glob("*"))
    return max(_versions(names), default=-1)


def _versions(names: Iterable[str]) -> list[int]:
    return [int(found[1]) for name in names if (found := _OF_VERSION.match(name))]


def _stored_names(table: str) -> list[str]:
    """Names of log files from the last checkpoint on."""
    hint = storage.read_bytes(f"{table}/_delta_log/_last_checkpoint")
    bucket, key = s3.split(table)
    prefix = f"{key}/_delta_log/"
    after = f"{prefix}{json.loads(hint)['version']:020d}" if hint else prefix
    with s3.reaching(table):
        pages = s3.client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, StartAfter=after)
        return [entry["Key"].rpartition("/")[2] for page in pages for entry in page.get("Contents", ())]


def commit_info(table: str, version: int) -> dict[str, Any]:
    """What a commit says of itself (`operation`, and what its writer added); empty when it is gone or says nothing."""
    entry = storage.read_bytes(f"{table}/_delta_log/{version:020d}.json")
    for line in (entry or b"").decode().splitlines():
        action = json.loads(line)
        if "commitInfo" in action:
            return action["commitInfo"]
    return {}


def is_maintenance(table: str, version: int) -> bool:
    """True when a commit brought no new data."""
    info = commit_info(table, version)
    return info.get("operation") in MAINTENANCE or info.get("talkvid") == "fence"
