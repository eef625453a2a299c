"""`talkvid remove`: takes videos out of every place a lake knows of, and keeps them out (DESIGN.md, law 10)."""

import sys
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jobs import metadata
from jobs.history import new_run_id, record
from jobs.job import Job
from jobs.layouts.layout import is_exported
from jobs.removal import copies, exported, files, history, nodes, trained
from jobs.removal.rows import TargetRows, ordered
from jobs.removal.target import Request, Resolved, Target, resolve
from jobs.summary import Summary, check_sum
from jobs.text_table import escaped
from schemas import storage, unfinished, uploads
from schemas.errors import UsageError, VerificationError
from schemas.lake import Lake
from schemas.ledger import now
from schemas.scratch import scratch_folder
from schemas.tables import TABLES
from udfs.sources import shelf

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class RemoveConfig:
    """Ids and addresses of videos, channels, and why they go. `dry_run` only counts. `nodes`: other machines may have worked on them."""

    words: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    reason: str | None = None
    dry_run: bool = False
    nodes: bool = False

    @property
    def request(self) -> Request:
        """What is asked for."""
        return Request(self.words, self.channels, self.reason)


@dataclass(frozen=True)
class _NotedConfig:
    """What `runs` keeps of a removal: not whom it was about."""

    words: int
    channels: int


def arguments(parser: ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("video", nargs="*", metavar="ID|URL", help="video id, page address, or address of the media")
    parser.add_argument("--channel", metavar="C", action="append", default=[], help="all videos of a channel, also those to come; repeatable")
    parser.add_argument("--reason", metavar="TEXT", help="kept with the tombstone")
    parser.add_argument("--dry-run", action="store_true", help="print the same counts and change nothing")


def configure(args: Namespace) -> RemoveConfig:
    """The configuration of a command line. Raises `UsageError` when it names nothing."""
    if not args.video and not args.channel or not all(word.strip() for word in (*args.video, *args.channel)):
        raise UsageError("remove takes ids or addresses of videos, or --channel C")
    return RemoveConfig(tuple(args.video), tuple(args.channel), args.reason, args.dry_run, nodes.on_cluster(args.master))


class Places:
    """What of a target is left in each place of a lake. Made anew, it looks anew."""

    def __init__(self, lake: Lake, target: Target) -> None:
        self.lake, self.target = lake, target
        self.generations = _generations(lake, target)
        self.rows = TargetRows(lake, target, self.generations, _evaluated(self.generations))
        self.folders = exported.folders(lake)
        self.exports = {folder: found for folder in self.folders if (found := exported.named(folder, target))}
        self.media = files.media(lake, target)
        self.generated = [*files.generated(self.generations), *files.inputs(lake, self.generations)]
        self.reports = files.reports(lake, target)
        self.seen = trained.seen(lake, target)
        self.staged = copies.named(target)

    def counts(self) -> dict[str, int]:
        """Place to count: rows by table, then files and parts of files."""
        found = self.rows.counts()
        found |= {f"export:{folder}": len(things) for folder, things in self.exports.items()}
        uris = {"media": self.media, "generated": self.generated, "reports": self.reports, "seen": self.seen, "staged": self.staged}
        found |= {name: len(places) for name, places in uris.items()}
        return {place: count for place, count in found.items() if count}

    def empty(self) -> list[str]:
        """Take the target out of all of them, files first, since rows tell where the files are; returns the tables that were touched.

        A running training puts its notes into the store anew from its copies, which therefore come first.
        """
        for found in self.exports.values():
            exported.take_out(found, self.target)
        for uri in (*self.media, *self.generated, *self.reports):
            storage.delete(uri)
        copies.take_out(self.target)
        trained.forget(self.seen, self.target)
        for video_id in self.target.video_ids:
            storage.delete_below(self.lake.place.media(video_id))
        self._sweep()
        return self.rows.remove()

    def _sweep(self) -> None:
        """Take away what killed writers left half written."""
        place = self.lake.place
        if place.is_local:
            shelf.sweep(place.at("media"))
            unfinished.sweep_below(place.root)
        else:
            uploads.abort_in_lake(place.root)
        for folder in self.folders:
            if storage.is_remote(folder):
                uploads.abort(folder, mine=is_exported)
            else:
                unfinished.sweep_below(folder)
        unfinished.sweep(row["output_uri"] for row in self.generations if row["output_uri"])
        scratch_folder()


def run(spark: "SparkSession | None", lake: Lake, config: RemoveConfig) -> Summary:
    """tombstones → files → rows → history → look again."""
    started = now()
    found = resolve(lake, config.request)
    places = Places(lake, found.target)
    counts = places.counts()
    past = history.tables_with_a_past(lake, found.target)
    left: dict[str, int] = {}
    swept = nodes.sweep(spark, found.target) if spark is not None else []
    if not config.dry_run:
        left = _remove(lake, found, places, past)
    summary = _summary(lake, config, found, counts, left)
    summary.notes += swept
    if left:
        places_left = ", ".join(f"{place}={count}" for place, count in left.items())
        summary.failure = VerificationError(f"something remains: {places_left}; run it again, and report this if it stays")
    elif not config.dry_run and (counts or past or found.tombstones):
        noted = _NotedConfig(len(config.words), len(config.channels))
        record(lake, summary, noted, run_id=new_run_id("remove"), started=started, depends_on=())
    return summary


def _remove(lake: Lake, found: Resolved, places: Places, past: list[str]) -> dict[str, int]:
    """Do it; returns what is left in each place. Where nothing is to do, nothing is done.

    What an interrupted removal has left in old versions cannot be told any more by addresses that only its rows held: then no table
    keeps a past.
    """
    interrupted = any(row["applied_at"] is None for row in lake.ledger.read("removals", ["applied_at"]).to_pylist())
    if not (places.counts() or past or found.tombstones or interrupted):
        return {}
    requested = now()
    lake.ledger.append("removals", [row | {"requested_at": requested} for row in found.tombstones])
    is_current = metadata.is_current(lake)
    touched = [*places.empty(), *past, *(ordered() if interrupted else ())]
    for table in dict.fromkeys(touched):
        history.forget(lake, table)
    if is_current:
        metadata.keep_state(lake)
    left = Places(lake, found.target).counts()
    left |= {f"history:{table}": len(history.naming_files(lake, table, found.target)) for table in history.tables_with_a_past(lake, found.target)}
    if not left:
        _applied(lake)
    return left


def _applied(lake: Lake) -> None:
    """Note that all tombstones have reached everything."""
    rows = [row if row["applied_at"] else row | {"applied_at": now()} for row in lake.ledger.read("removals").to_pylist()]
    table = pa.Table.from_pylist(rows, schema=lake.ledger.schema("removals"))
    lake.ledger.overwrite("removals", table.to_reader())


def _generations(lake: Lake, target: Target) -> list[dict[str, Any]]:
    """Rows of `generations` that were made of the target."""
    if "generations" not in TABLES or lake.place.version("generations") < 0:
        return []
    inputs = ("reference_uri", "audio_uri", "kps_uri", "ground_truth_uri")
    rows = lake.ledger.read("generations").to_pylist()
    return [
        row
        for row in rows
        if target.has_clip(row["clip_id"]) or any(row[name] and (row[name] in target.addresses or target.named_by(row[name])) for name in inputs)
    ]


def _evaluated(generations: list[dict[str, Any]]) -> set[str]:
    """Under which names `evaluated` keeps what was measured of generated videos."""
    written = [row for row in generations if row["output_uri"]]
    if not written:
        return set()
    from jobs.evaluation_items import item_id_of

    return {item_id_of(row) for row in written}


def _summary(lake: Lake, config: RemoveConfig, found: Resolved, counts: dict[str, int], left: dict[str, int]) -> Summary:
    remaining = sum(left.values())
    whole = max(sum(counts.values()), remaining)
    videos = len({video["video_id"] for video in found.target.videos if video["video_id"]}) if counts else 0
    numbers = {"in": videos, "found": whole, "removed": 0 if config.dry_run else whole - remaining, "remaining": whole if config.dry_run else remaining}
    check_sum("remove", "found", ("removed", "remaining"), numbers)
    checkpoints = trained.checkpoints(lake, found.target)
    lines = [f"{place}={count}" for place, count in counts.items()]
    lines += [f"checkpoints={len(checkpoints)}", *(f"  trained on it: {folder}" for folder in checkpoints)]
    summary = Summary("remove", numbers, results="\n".join(escaped(line) for line in lines))
    summary.extra = {"places": counts, "checkpoints": checkpoints}
    summary.notes = [f"remove: {escaped(path)} lies outside the lake and was not deleted" for path in files.outside(lake, found.target)]
    summary.notes += [f"remove: {escaped(word)} is not in this lake; its tombstone keeps it out" for word in found.unheard]
    return summary


JOB = Job(
    "remove",
    "take videos out of every place, and keep them out",
    arguments,
    configure,
    run,
    check=lambda lake, config: lake.place.require(),
    needs_spark=lambda config: config.nodes and not config.dry_run,
    takes_lease=lambda config: not config.dry_run,
    limit="",
)

if __name__ == "__main__":
    from jobs.cli import main

    main(["remove", *sys.argv[1:]])
