"""What an export notes in the lake: its rows in `exports` and `failures`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from jobs.export_plan import STAGE, Settings
from schemas.codes import RETRYABLE
from schemas.lake import Lake
from schemas.ledger import now
from schemas.tables import TABLES

Placed = Mapping[str, tuple[str | None, int | None]]
"""Clip to the file below the export's folder that holds its media, and the size of its media in bytes."""


@dataclass(frozen=True)
class ExportLedger:
    """The rows of one export: folder, settings, policy and run are the same in all of them."""

    lake: Lake
    out: str
    settings: Settings
    policy_hash: str
    run_id: str

    def add(self, placed: Placed) -> None:
        """Note clips that were written."""
        self.lake.ledger.append("exports", self._rows(placed))

    def forget(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Take out the rows of clips whose files are gone."""
        if rows:
            gone = {row["clip_id"] for row in rows}
            self._keep(row for row in self._own() if row["clip_id"] not in gone)

    def move(self, before: Mapping[str, str | None], placed: Placed) -> None:
        """Note clips that were put into another file than they were cut to."""
        moved = {clip_id: place for clip_id, place in placed.items() if place[0] != before[clip_id]}
        if moved:
            self._keep([*(row for row in self._own() if row["clip_id"] not in moved), *self._rows(moved)])

    def fail(self, failures: Iterable[tuple[str, str, str]], attempts: Mapping[str, int]) -> None:
        """Note failures, as (clip, code, sentence); `attempts` says how often a clip failed before."""
        at = now()
        rows = [
            {
                "entity": clip_id,
                "stage": STAGE,
                "fingerprint": self.settings.fingerprint,
                "code": code,
                "detail": detail,
                "retryable": code in RETRYABLE,
                "attempt": attempts.get(clip_id, 0) + 1,
                "at": at,
                "run_id": self.run_id,
            }
            for clip_id, code, detail in failures
        ]
        self.lake.ledger.append("failures", rows)

    def _rows(self, placed: Placed) -> list[dict[str, Any]]:
        same = {"out": self.out, "layout": self.settings.layout, "settings": self.settings.json(), "policy_hash": self.policy_hash}
        same |= {"written_at": now(), "run_id": self.run_id}
        return [same | {"clip_id": clip_id, "file": file, "bytes": size} for clip_id, (file, size) in placed.items()]

    def _own(self) -> list[dict[str, Any]]:
        return [row for row in self.lake.ledger.read("exports").to_pylist() if row["out"] == self.out]

    def _keep(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Make these the only rows of the folder, in one commit."""
        table = pa.Table.from_pylist(list(rows), schema=TABLES["exports"].schema)
        self.lake.ledger.replace("exports", table, "out = '{}'".format(self.out.replace("'", "''")))
