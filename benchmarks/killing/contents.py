"""What two runs of a stage must have in common: rows without what is a run's own, files by their hashes, losses of a training."""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from schemas.lake import Lake
from schemas.table import UTC_TIME
from schemas.tables import TABLES

NOT_COMPARED = ("runs", "settings")
"""History of what ran, and the versions it saw."""
OWN_TO_A_RUN = ("run_id", "mtime_ns", "seconds")
UNFINISHED = re.compile(r"\.part$|\.half$|^copying-")
OF_A_MODEL = "train/stage_3/model/"


@dataclass(frozen=True)
class Contents:
    """Rows by table, hashes of files under final names, the last loss of every step and rank, and unfinished files that lie beside."""

    rows: dict[str, Counter[str]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=dict)
    unfinished: tuple[str, ...] = ()


@dataclass(frozen=True)
class Difference:
    """Rows and files that are missing, those that are there too often or should not be there, and files with other bytes."""

    lost: int = 0
    twice: int = 0
    other: int = 0

    @property
    def none(self) -> bool:
        """True when both are equal."""
        return not (self.lost or self.twice or self.other)


def contents(work: Path) -> Contents:
    """All of it that lies below `work`, a folder; also one that an S3 server serves."""
    lake = Lake.at(str(work / "lake"))
    rows = {}
    for name, table in TABLES.items():
        if name not in NOT_COMPARED and lake.place.version(name) >= 0:
            kept = [column.name for column in table.schema if column.name not in OWN_TO_A_RUN and column.type != UTC_TIME]
            rows[name] = Counter(hashlib.sha256(repr(row).encode()).hexdigest() for row in lake.ledger.read(name, kept).to_pylist())
    return Contents(rows, final_files(work), _losses(work / "train" / "stage_3"), unfinished(work))


def final_files(work: Path) -> dict[str, str]:
    """Path below `work` to hash: exports, media, generated videos, the trained model."""
    found = {}
    for folder in ("out", "videos", "lake/media", OF_A_MODEL):
        for path in sorted((work / folder).rglob("*")):
            name = str(path.relative_to(work))
            if path.is_file() and not any(part.startswith(".") for part in Path(name).parts):
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def unfinished(work: Path) -> tuple[str, ...]:
    """Files and folders that writers left half done under names of their own."""
    return tuple(sorted(str(path.relative_to(work)) for path in work.rglob("*") if UNFINISHED.search(path.name)))


def torn(wanted: Contents, work: Path) -> int:
    """Files under final names whose bytes are not, or not yet, those that they shall have."""
    return sum(wanted.files.get(name) != digest for name, digest in final_files(work).items())


def difference(wanted: Contents, found: Contents) -> Difference:
    """What `found` has less, more, and otherwise."""
    lost = twice = other = 0
    for name in {*wanted.rows, *found.rows}:
        before, after = wanted.rows.get(name, Counter()), found.rows.get(name, Counter())
        lost, twice = lost + (before - after).total(), twice + (after - before).total()
    for kind in ("files", "losses"):
        before, after = getattr(wanted, kind), getattr(found, kind)
        lost, twice = lost + len(before.keys() - after.keys()), twice + len(after.keys() - before.keys())
        other += sum(before[name] != after[name] for name in before.keys() & after.keys())
    return Difference(lost, twice, other)


def _losses(folder: Path) -> dict[str, float]:
    from training.metrics_log import seen

    return {f"rank {rank} step {step}": records[-1]["train/loss"] for rank, steps in seen(folder).items() for step, records in steps.items()}
