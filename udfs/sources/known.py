"""What the lake already knows of a source: whether it was looked at, how often it failed, whether it was removed."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from schemas.ids import content_video_id
from schemas.ledger import Ledger
from udfs.sources.source import Source

STAGE = "ingest"
GOOD = ("registered", "duplicate")


@dataclass(frozen=True)
class Tombstones:
    """What must not come back: ids, addresses, channels and content hashes of removed videos."""

    video_ids: frozenset[str]
    urls: frozenset[str]
    channels: frozenset[str]
    sha256: frozenset[str]

    def name(self, source: Source) -> bool:
        """True when a source is known to be removed before anything is fetched."""
        addresses = {source.uri, source.provenance.get("url")}
        return source.video_id in self.video_ids or bool(addresses & self.urls) or source.provenance.get("channel") in self.channels

    def cover(self, row: dict[str, Any]) -> bool:
        """True when a described video (a row of `udfs.sources.register`) is a removed one."""
        origin = row["source"] or {}
        return (
            row["removed"]
            or row["sha256"] in self.sha256
            or content_video_id(row["sha256"]) in self.video_ids
            or origin.get("url") in self.urls
            or origin.get("channel") in self.channels
        )


class Known:
    """The lake's memory of sources: its tables `sources`, `failures` of this stage, and `removals`."""

    def __init__(self, sources: Iterable[dict[str, Any]], failures: Iterable[dict[str, Any]], removals: Iterable[dict[str, Any]]) -> None:
        self._looked_at: dict[tuple[str, int | None, int | None], Counter[str]] = {}
        self.video_of: dict[str, str] = {}
        self.registrar: dict[str, str] = {}
        for row in sources:
            self._looked_at.setdefault((row["uri"], row["bytes"], row["mtime_ns"]), Counter())[row["outcome"]] += 1
            if row["outcome"] in GOOD and row["video_id"]:
                self.video_of[row["uri"]] = row["video_id"]
            if row["outcome"] == "registered" and row["video_id"]:
                self.registrar.setdefault(row["video_id"], row["uri"])
        self._failures: dict[tuple[str, str | None], dict[str, Any]] = {}
        for row in failures:
            key = (row["entity"], row["fingerprint"])
            if row["stage"] == STAGE and (key not in self._failures or row["attempt"] >= self._failures[key]["attempt"]):
                self._failures[key] = row
        removed = list(removals)
        self.tombstones = Tombstones(*(frozenset(row[name] for row in removed if row[name]) for name in ("video_id", "url", "channel", "sha256")))

    @classmethod
    def of(cls, ledger: Ledger) -> "Known":
        """What this lake knows."""
        return cls(
            ledger.read("sources", ["uri", "bytes", "mtime_ns", "outcome", "video_id"]).to_pylist(),
            ledger.read("failures", ["entity", "stage", "fingerprint", "retryable", "attempt"]).to_pylist(),
            ledger.read("removals", ["video_id", "url", "channel", "sha256"]).to_pylist(),
        )

    def is_new(self, source: Source) -> bool:
        """True unless it was looked at with that size and time. A failure that may pass counts as not looked at, but what was
        absent and is absent still has not changed."""
        outcomes = self._looked_at.get(source.key)
        if outcomes is None:
            return True
        if set(outcomes) != {"failed"} or source.is_absent:
            return False
        failure = self._failures.get((source.uri, source.fingerprint))
        return failure is None or bool(failure["retryable"])

    def attempt(self, source: Source) -> int:
        """The number, from 1, of the try that comes now."""
        outcomes = self._looked_at.get(source.key)
        return 1 + (outcomes["failed"] if outcomes else 0)

    def has_failure(self, source: Source, attempt: int) -> bool:
        """True when a killed run already wrote this try's failure."""
        failure = self._failures.get((source.uri, source.fingerprint))
        return failure is not None and failure["attempt"] >= attempt
