"""Asks platforms again about the videos of a lake, and removes what is gone or no longer under its licence."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from jobs.progress import Progress
from schemas.lake import Lake
from udfs.sources.address import is_http
from udfs.sources.credentials import had_credentials
from udfs.sources.patience import Refused
from udfs.sources.standing import is_still_under, standing
from udfs.sources.youtube import Download

REMOVED_AT_ONCE = 200
"""After so many findings they are removed, so that an interrupted run loses none of them."""


@dataclass
class Rechecked:
    """How many videos were asked about and what was found; `notes` are sentences for the user."""

    counts: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def recheck(lake: Lake, options: Download, limit: int | None = None, quiet: bool = False) -> Rechecked:
    """Ask about every video with an address on the web, one after the other; remove what may not be kept."""
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
                _remove(lake, losses)
    _remove(lake, losses)
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


def _remove(lake: Lake, losses: dict[str, list[str]]) -> None:
    from jobs import remove

    for reason, video_ids in losses.items():
        if video_ids:
            remove.run(None, lake, remove.RemoveConfig(tuple(video_ids), reason=reason))
            video_ids.clear()
