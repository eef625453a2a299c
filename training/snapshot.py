"""What a training run reads: the clips of one version of `samples`, in a fixed order, and where each of them lies (law 9).

The order of clips and their units are made once and never change; a resume only looks up again where the clips lie now.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from schemas import storage
from schemas.errors import MissingError, TalkvidError, UsageError
from schemas.ledger import Ledger
from schemas.place import Place
from training.reading_plan import RowPlace
from udfs.staging import local_path

TABLE = "samples"
FORMAT = 1
GONE = RowPlace(-1, -1, -1)


class FileGoneError(TalkvidError):
    """A file of the snapshot is not there any more, or holds other rows: look the clips up again (`Snapshot.resolved`) and go on."""


@dataclass(frozen=True)
class SnapshotFile:
    """A Parquet file of the version: a local path or an object's address, and the rows of each row group."""

    uri: str
    row_groups: tuple[int, ...]


@dataclass(frozen=True)
class Snapshot:
    """Clips by number. `units[k]` says which clips were stored together when the snapshot was made; `places[k]` where clip `k` lies in
    `files`, the files of version `version`, or `GONE`. `latents` is the fingerprint of the cached latents when all clips have the same.
    """

    lake: str
    version: int
    clip_ids: tuple[str, ...]
    frames: tuple[int, ...]
    units: tuple[int, ...]
    files: tuple[SnapshotFile, ...]
    places: tuple[RowPlace, ...]
    side_px: int
    fps: float
    audio_width: int
    fingerprints: tuple[str, ...] = ()
    latents: str | None = None
    selection: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.clip_ids)

    @cached_property
    def gone(self) -> tuple[str, ...]:
        """Clips that were removed since the snapshot was made."""
        return tuple(clip_id for clip_id, place in zip(self.clip_ids, self.places) if place == GONE)

    @property
    def random(self) -> bool:
        """True when networks with random weights made any of the clips' values (law 5)."""
        return any(fingerprint.startswith("random:") for fingerprint in (*self.fingerprints, self.latents or ""))

    def write(self, path: str | Path) -> None:
        """Write it as JSON into a file or an object; it has its name only once it is whole."""
        columns: dict[str, Any] = {"clip_ids": self.clip_ids, "frames": self.frames, "units": self.units, "places": self.places}
        record = {"format": FORMAT} | {name: getattr(self, name) for name in _PLAIN} | {"selection": dict(self.selection)}
        record |= {"files": [[file.uri, file.row_groups] for file in self.files]} | columns
        storage.put_bytes(json.dumps(record, ensure_ascii=False).encode(), str(path))

    @classmethod
    def read(cls, path: str | Path) -> "Snapshot":
        """The snapshot in a file or an object. Raises `MissingError` when there is none, `UsageError` when it is something else."""
        text = storage.read_bytes(str(path))
        if text is None:
            raise MissingError(f"there is no snapshot at {path}")
        try:
            record = json.loads(text)
        except ValueError as error:
            raise UsageError(f"{path} is not a snapshot: {error}") from error
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise UsageError(f"{path} is not a snapshot that this version writes: make a new one by starting the training anew")
        return cls(
            **{name: record[name] for name in _PLAIN} | {"fingerprints": tuple(record["fingerprints"])},
            clip_ids=tuple(record["clip_ids"]),
            frames=tuple(record["frames"]),
            units=tuple(record["units"]),
            files=tuple(SnapshotFile(uri, tuple(rows)) for uri, rows in record["files"]),
            places=tuple(RowPlace(*place) for place in record["places"]),
            selection=record["selection"],
        )

    def resolved(self, ledger: Ledger | None = None, version: int | None = None) -> "Snapshot":
        """The same clips where they lie now, in the newest version if not said; clips removed since are `GONE`.

        Raises `MissingError` when none is left.
        """
        found = ledger or Ledger(Place.of(self.lake))
        newest = found.open(TABLE).version() if version is None else version
        rows, files = stored_rows(found, newest)
        by_id = {row["clip_id"]: row["place"] for row in rows}
        places = tuple(by_id.get(clip_id, GONE) for clip_id in self.clip_ids)
        if all(place == GONE for place in places):
            raise MissingError(f"none of the snapshot's {len(self)} clips is left in {TABLE} of the lake {found.place.root}")
        return replace(self, lake=found.place.root, version=newest, files=files, places=places)


_PLAIN = ("lake", "version", "side_px", "fps", "audio_width", "fingerprints", "latents")


def stored_rows(ledger: Ledger, version: int, columns: Sequence[str] = ()) -> tuple[list[dict[str, Any]], tuple[SnapshotFile, ...]]:
    """The rows of a version of `samples`, each with `clip_id`, `place` and these columns, and the version's files.

    Only the files of that version are opened: a Delta folder also holds rows that were deleted or replaced. A column that is younger
    than a file is null. Of rows with the same clip the newest counts. Files are sorted by their first clip, so that the same rows give the
    same order wherever they lie.
    """
    found: list[tuple[str, SnapshotFile, list[dict[str, Any]]]] = []
    names = list(dict.fromkeys(("clip_id", "prepared_at", *columns)))
    for uri in ledger.files(TABLE, version):
        file, rows = _rows_of_file(uri, names)
        if rows:
            found.append((rows[0]["clip_id"], file, rows))
    found.sort(key=lambda item: item[0])
    newest: dict[str, dict[str, Any]] = {}
    for number, (_, _, rows) in enumerate(found):
        for row in rows:
            row["place"] = RowPlace(number, *row["place"])
            other = newest.get(row["clip_id"])
            if other is None or (row["prepared_at"] or _NEVER) >= (other["prepared_at"] or _NEVER):
                newest[row["clip_id"]] = row
    return sorted(newest.values(), key=lambda row: row["place"]), tuple(file for _, file, _ in found)


_NEVER = datetime.min.replace(tzinfo=UTC)


def _rows_of_file(uri: str, columns: Sequence[str]) -> tuple[SnapshotFile, list[dict[str, Any]]]:
    """A file and its rows, `place` being row group and row. Raises `FileGoneError`, or `TalkvidError` when it is damaged."""
    from pyarrow.fs import LocalFileSystem

    path = local_path(uri)
    store, key = (LocalFileSystem(), str(path)) if path is not None else storage.filesystem(uri)
    rows: list[dict[str, Any]] = []
    try:
        with store.open_input_file(key) as source:
            parquet = pq.ParquetFile(source)
            counts = tuple(parquet.metadata.row_group(number).num_rows for number in range(parquet.num_row_groups))
            for number in range(parquet.num_row_groups):
                group = parquet.read_row_group(number, columns=list(columns), use_threads=False).to_pylist()
                rows += [dict.fromkeys(columns) | row | {"place": (number, place)} for place, row in enumerate(group)]
    except FileNotFoundError:
        raise FileGoneError(f"{uri} is gone: look the clips up again") from None
    except (pa.ArrowException, OSError) as error:
        raise TalkvidError(f"{uri} cannot be read, the Parquet file is damaged: {error}") from error
    return SnapshotFile(uri, counts), rows


def unit_numbers(places: Sequence[RowPlace]) -> NDArray[np.int64]:
    """For each clip the number of its row group among all that hold clips, in order of appearance."""
    seen: dict[tuple[int, int], int] = {}
    return np.array([seen.setdefault(place[:2], len(seen)) for place in places], np.int64)
