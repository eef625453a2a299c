"""Asks platforms again about the videos of a lake, and removes what is gone or no longer under its licence."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobs.progress import Progress
from schemas.errors import TalkvidError
from schemas.lake import Lake
from udfs.sources.address import is_http
from udfs.sources.credentials import had_credentials
from udfs.sources.patience import Refused
from udfs.sources.standing import is_still_under, standing
from udfs.sources.youtube import Download

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

REMOVED_AT_ONCE = 200
"""After so many findings they are removed, so that an interrupted run loses none of them."""


@dataclass
class Rechecked:
    """How many videos were asked about and what was found; `notes` are sentences for the user. `checkpoints` were trained on what was
    removed; `failure` says what of it remains."""

    counts: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    checkpoints: list[str] = field(default_factory=list)
    failure: TalkvidError | None = None


def recheck(lake: Lake, options: Download, limit: int | None = None, quiet: bool = False, spark: "SparkSession | None" = None) -> Rechecked:
    """Ask about every video with an address on the web, one after the other; remove what may not be kept, from the nodes of `spark` too."""
    found = Rechecked()
    videos = [row for row in lake.ledger.read("videos", ["video_id", "source"]).to_pylist() if is_http((row["source"] or {}).get("url") or "")]
    closed = sum(had_credentials(row["source"]["url"]) for row in videos)
    if closed:
        found.notes.append(f"ingest: {closed} videos were not asked about: their addresses were given with credentials, which are not kept")
    videos = [row for row in videos if not had_credentials(row["source"]["url"])][:limit]
    losses: dict[str, list[str]] = {"gone from the platform": [], "no longer under its licence": []}
    with Progress("ingest", len(videos), host="127.0.0.1", quiet=quiet) as progress:
        for video_id, reason in _findings(videos, options, found):
            progress.settle(1)
            if reason in losses:
                losses[reason].append(video_id)
            if sum(map(len, losses.values())) >= REMOVED_AT_ONCE:
                _remove(spark, lake, losses, found)
    _remove(spark, lake, losses, found)
    return found


def _findings(videos: Sequence[dict], options: Download, found: Rechecked) -> Iterator[tuple[str, str]]:
    """Video and what the platform says of it."""
    for video in videos:
        source = video["source"]
        try:
            now = standing(source["url"], options)
        except Refused as refused:
            found.notes.append(f"ingest: {len(videos) - found.counts['asked']} videos were not asked about: {refused.detail}")
            return
        found.counts["asked"] += 1
        state = now.state if now.state != "there" or is_still_under(source["licence"], now) else "licence"
        found.counts[state] += 1
        yield video["video_id"], {"gone": "gone from the platform", "licence": "no longer under its licence"}.get(state, state)


def _remove(spark: "SparkSession | None", lake: Lake, losses: dict[str, list[str]], found: Rechecked) -> None:
    """Remove what was lost, and keep what the removals say. Each finishes what those before left, so that the last one's failure counts."""
    from jobs import remove

    for reason, video_ids in losses.items():
        if video_ids:
            told = remove.run(spark, lake, remove.RemoveConfig(tuple(video_ids), reason=reason))
            found.failure = told.failure
            found.notes += [note for note in told.notes if note not in found.notes]
            found.checkpoints = sorted({*found.checkpoints, *told.extra["checkpoints"]})
            video_ids.clear()
