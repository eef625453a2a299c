"""The snapshot that a training run pins: which clips of `samples` it trains on, at one version of the table (law 9)."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from jobs.bench_choice import OTHER, group_of
from jobs.speakers import bench_exclusion
from schemas.active_policy import HOW, active_policy
from schemas.duck import connect
from schemas.errors import MissingError, UsageError
from schemas.lake import Lake
from training.lost_files import lost
from training.snapshot import TABLE, FileGoneError, Snapshot, stored_rows, unit_numbers

FILTERS = ("language", "age_group", "gender", "ethnicity", "category", "speaker_id", "video_id", "labels_source", "lip_source", "face_backend")
"""Columns of `samples` by which clips may be chosen."""
_COLUMNS = ("frames", "fps", "side_px", "audio_width", "fingerprint", "latents_fingerprint", *FILTERS)
_ONE_FOR_ALL = ("side_px", "fps", "audio_width")


@dataclass(frozen=True)
class Selection:
    """Which clips: those that the active policy keeps, at `version` of the samples (the newest if None), whose columns have one of
    the values that `filters` names for them. Speakers of the benchmark are left out always."""

    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    version: int | None = None


@dataclass(frozen=True)
class MadeSnapshot:
    """A snapshot and how it came about: `counts` has samples = curated_out + filtered_out + bench_out + kept.

    `untold` of the kept ones may show a speaker of the benchmark: nobody can tell. 0 without a benchmark.
    """

    snapshot: Snapshot
    counts: dict[str, int]
    untold: int = 0

    @property
    def sentence(self) -> str:
        """What to print of it."""
        left_out = {"not kept by the policy": "curated_out", "not what was asked for": "filtered_out", "of the benchmark's speakers": "bench_out"}
        told = "".join(f", {self.counts[name]} {why}" for why, name in left_out.items() if self.counts[name])
        told += f"; of {self.untold} nobody can tell if they show a speaker of the benchmark: no label, no face measured" if self.untold else ""
        return f"training on {self.counts['kept']} of {self.counts['samples']} samples (version {self.snapshot.version}{told})"


def make_snapshot(lake: Lake, selection: Selection | None = None) -> MadeSnapshot:
    """Pin the clips to train on. Only the files of that version are opened, and of them no pictures are read.

    Raises `UsageError` for a filter on another column, or samples that cannot be trained on together; `MissingError` when there is no
    active policy, no such version, files of it are gone, or nothing is left.
    """
    selection = selection or Selection()
    check_filters(selection.filters)
    policy = active_policy(lake.ledger)
    if policy is None:
        raise MissingError(HOW)
    version = version_of(lake, selection.version)
    try:
        rows, files = stored_rows(lake.ledger, version, _COLUMNS)
    except FileGoneError as error:
        raise lost(lake.place, version, error) from error
    if not rows:
        raise MissingError("there are no samples yet: talkvid prepare")
    with connect(lake.ledger) as engine:
        curated = {clip_id for (clip_id,) in engine.execute("SELECT clip_id FROM curated").fetchall()}
    bench = bench_exclusion(lake)
    counts = {"samples": len(rows), "curated_out": 0, "filtered_out": 0, "bench_out": 0, "kept": 0}
    kept = []
    for row in rows:
        fate = _fate(row, curated, selection.filters, bench.clips)
        counts[fate] += 1
        kept += [row] if fate == "kept" else []
    if not kept:
        raise MissingError(f"none of the {len(rows)} samples is left to train on: {_told(counts)}")
    chosen = {
        "version": version,
        "policy": policy.name,
        "policy_hash": policy.policy_hash,
        "filters": {name: list(values) for name, values in selection.filters.items()},
    }
    untold = sum(row["clip_id"] in bench.untold for row in kept)
    return MadeSnapshot(_snapshot(lake, version, kept, files, chosen | counts), counts, untold)


def shows_bench(lake: Lake, snapshot: Snapshot) -> str | None:
    """A sentence when clips of a snapshot show speakers of a benchmark that was made after it; a run that goes on keeps its clips all the same."""
    shown = len(bench_exclusion(lake).clips.intersection(snapshot.clip_ids))
    if not shown:
        return None
    told = f"{shown} of {len(snapshot)} clips show speakers of a benchmark that was made since the run began: its numbers would not be of unseen speakers"
    return f"{told}; --resume never begins without them"


def version_of(lake: Lake, wanted: int | None) -> int:
    """The version of the samples that is meant: `wanted`, or the newest. Raises `MissingError` where there is none."""
    from deltalake.exceptions import DeltaError

    if lake.place.version(TABLE) < 0:
        raise MissingError(f"there is no table {TABLE} at {lake.place.root} yet: talkvid prepare")
    try:
        return lake.ledger.open(TABLE, wanted).version()
    except DeltaError as error:
        raise MissingError(f"there is no version {wanted} of {TABLE} any more: {error}") from error


def check_filters(filters: Mapping[str, Sequence[str]]) -> None:
    """Raise `UsageError` for columns that clips cannot be chosen by, and for values that are no list."""
    for name, values in filters.items():
        if name not in FILTERS:
            raise UsageError(f"samples cannot be chosen by {name}; by: {', '.join(FILTERS)}")
        if isinstance(values, str) or not values:
            raise UsageError(f"the values of the filter {name} are not a list")


def _fate(row: dict[str, Any], curated: set[str], filters: Mapping[str, Sequence[str]], bench: Set[str]) -> str:
    """The count under which a sample falls; the first reason counts. A null never passes a filter."""
    if row["clip_id"] not in curated:
        return "curated_out"
    if not all(_meets(name, row[name], values) for name, values in filters.items()):
        return "filtered_out"
    return "bench_out" if row["clip_id"] in bench else "kept"


def _meets(name: str, label: str | None, values: Sequence[str]) -> bool:
    """Whether a label is one of the values, in any case; a language also by its code: `en` is English."""
    if not label:
        return False
    group = group_of("language", label) if name == "language" else None
    same = {value.casefold() for value in values}
    return label.casefold() in same or group not in (None, OTHER) and any(group_of("language", value) == group for value in values)


def _told(counts: Mapping[str, int]) -> str:
    reasons = {"curated_out": "not kept by the active policy", "filtered_out": "left out by the filters", "bench_out": "of the benchmark's speakers"}
    return ", ".join(f"{counts[name]} {why}" for name, why in reasons.items() if counts[name])


def _snapshot(lake: Lake, version: int, rows: Sequence[dict[str, Any]], files: Iterable[Any], selection: dict[str, Any]) -> Snapshot:
    for name in _ONE_FOR_ALL:
        found = sorted({row[name] for row in rows})
        if len(found) > 1:
            raise UsageError(f"the samples have several {name} ({', '.join(map(str, found))}) and cannot be trained on together: prepare them anew, or choose")
    fingerprints = tuple(sorted({row["fingerprint"] for row in rows}))
    if len({fingerprint.startswith("random:") for fingerprint in fingerprints}) > 1:
        raise UsageError("some samples were made with random weights and some with real ones: prepare them anew, or choose")
    latents = {row["latents_fingerprint"] for row in rows}
    places = [row["place"] for row in rows]
    return Snapshot(
        lake=lake.place.root,
        version=version,
        clip_ids=tuple(row["clip_id"] for row in rows),
        frames=tuple(row["frames"] for row in rows),
        units=tuple(unit_numbers(places).tolist()),
        files=tuple(files),
        places=tuple(places),
        side_px=rows[0]["side_px"],
        fps=rows[0]["fps"],
        audio_width=rows[0]["audio_width"],
        fingerprints=fingerprints,
        latents=latents.pop() if len(latents) == 1 else None,
        selection=selection,
    )
