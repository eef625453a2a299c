"""The ingest job's commits: what workers found becomes rows of `failures`, `videos` and `sources`, in that order (law 6, law 7)."""

from collections import Counter
from typing import Any

from schemas.codes import RETRYABLE
from schemas.lake import Lake
from schemas.ledger import now
from schemas.tables import TABLES
from udfs.sources import shelf
from udfs.sources.known import STAGE, Known
from udfs.sources.labels import LabelSheet
from udfs.sources.late import labels_row
from udfs.sources.register import DECIDED_LATER, moved_uris
from udfs.sources.settle import Settled, Settlement
from udfs.sources.source import Source

Row = dict[str, Any]
MEASURED = tuple(name for name in TABLES["videos"].schema.names if name not in DECIDED_LATER)


class Intake:
    """Commits result rows of one run, batch after batch; `outcomes` counts what became of the sources.

    A driver that is killed between two appends leaves sources unmarked: they are looked at again, and what was already
    written of them is recognised.
    """

    def __init__(self, lake: Lake, new: list[Source], known: Known, sheet: LabelSheet, run_id: str) -> None:
        self._lake, self._new, self._known, self._sheet, self._run_id = lake, new, known, sheet, run_id
        self._media = lake.place.at("media")
        videos = lake.ledger.read("videos", ["video_id", "sha256"]).to_pylist()
        self._settlement = Settlement(videos, known.registrar, known.tombstones)
        self._remarks: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()

    def commit(self, rows: list[Row]) -> None:
        """Append one batch of rows (`udfs.sources.register.ROWS`); batches come in the order of sources."""
        failures, videos, sources = [], [], []
        for row in sorted(rows, key=lambda row: row["number"]):
            source = self._new[row["number"]]
            settled = self._settlement.settle(source, row)
            self.outcomes[settled.outcome] += 1
            if settled.outcome == "failed" and not self._known.has_failure(source, self._known.attempt(source)):
                failures.append(self._failure(source, row))
            if settled.outcome == "registered":
                self._remarks.update({*row["remarks"], *source.remarks})
            placed = self._placed(row, settled)
            if settled.outcome == "registered" and not settled.is_written:
                videos.append(self._video(source, placed, settled))
            sources.append(self._looked_at(source, settled))
        ledger = self._lake.ledger
        ledger.append("failures", failures)
        ledger.append("videos", videos)
        ledger.append("sources", sources)

    def notes(self) -> list[str]:
        """What was left out of registered videos, with counts."""
        return [f"ingest: of {count} videos: {remark}" for remark, count in sorted(self._remarks.items())]

    def _placed(self, row: Row, settled: Settled) -> Row:
        """The row with its media in the video's own folder of the lake; media that is not wanted is removed."""
        if not row["waiting"]:
            return row
        waiting = row["waiting"]
        if settled.outcome == "registered" and not settled.is_written:
            assert settled.video_id is not None
            return row | moved_uris(row, waiting, shelf.shelve(waiting, self._media, settled.video_id))
        shelf.discard(waiting, self._media)
        return row

    def _video(self, source: Source, row: Row, settled: Settled) -> Row:
        addresses = [row["uri"], (row["source"] or {}).get("url"), source.uri]
        labels = labels_row(source.labels, self._sheet.of(settled.video_id, addresses))
        return {name: row[name] for name in MEASURED} | {
            "video_id": settled.video_id,
            "labels": labels,
            "ingested_at": now(),
            "run_id": self._run_id,
        }

    def _failure(self, source: Source, row: Row) -> Row:
        return {
            "entity": source.uri,
            "stage": STAGE,
            "fingerprint": source.fingerprint,
            "code": row["code"],
            "detail": row["detail"],
            "retryable": row["code"] in RETRYABLE and source.problem is None,
            "attempt": self._known.attempt(source),
            "at": now(),
            "run_id": self._run_id,
        }

    def _looked_at(self, source: Source, settled: Settled) -> Row:
        return {
            "uri": source.uri,
            "bytes": source.bytes,
            "mtime_ns": source.mtime_ns,
            "outcome": settled.outcome,
            "video_id": settled.video_id,
            "seen_at": now(),
            "run_id": self._run_id,
        }
