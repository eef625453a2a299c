"""`talkvid ingest`: registers raw videos from folders, lists, manifests and addresses."""

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jobs import metadata
from jobs.arguments import natural
from jobs.batches import in_batches
from jobs.brought import brought
from jobs.history import new_run_id, record
from jobs.intake import Intake
from jobs.job import Job
from jobs.recheck import recheck
from jobs.removal.nodes import on_cluster
from jobs.summary import Summary, check_sum
from jobs.text_table import escaped
from schemas import storage
from schemas.errors import MissingError, UsageError
from schemas.lake import Lake
from schemas.ledger import now
from schemas.tables import TABLES
from udfs.sources import late, shelf
from udfs.sources.credentials import without_credentials
from udfs.sources.known import Known
from udfs.sources.labels import NAMES, LabelSheet, read_sheet
from udfs.sources.listing import PassedOver
from udfs.sources.reading import FORMATS, read_sources
from udfs.sources.register import ROWS, Registration, died, failure, item_of, register_items
from udfs.sources.source import Source
from udfs.sources.youtube import Download

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

OUTCOMES = ("registered", "duplicate", "removed", "failed")
NAMED = 3
"""So many entries that were passed over are named."""
NO_WORK = dict.fromkeys(("in", "found", *OUTCOMES), 0)


@dataclass(frozen=True)
class IngestConfig:
    """What to register and how. `kind` is one of `udfs.sources.reading.FORMATS`; `cookies` a file in Netscape's format; `recheck` asks
    platforms again about videos that are known. `nodes`: other machines may have worked on those."""

    sources: tuple[str, ...]
    kind: str = "auto"
    labels: str | None = None
    copy: bool = False
    download: bool = False
    max_height: int = 1080
    cookies: str | None = None
    sleep_s: float = 5.0
    retries: int = 3
    recheck: bool = False
    nodes: bool = False
    limit: int | None = None
    quiet: bool = False


def arguments(parser: ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("source", nargs="*", metavar="SOURCE", help="folder, file, glob, text list, TalkVid manifest, http(s) address or YouTube id")
    parser.add_argument("--format", choices=FORMATS, default="auto", help="kind of the sources; found from names and first bytes when auto")
    parser.add_argument("--labels", metavar="CSV", help=f"headings uri or video_id, then any of {','.join(NAMES)}; also updates videos that are known already")
    parser.add_argument(
        "--copy", action="store_true", help="copy media into the lake instead of referring to it; local files always when the lake is in a store"
    )
    parser.add_argument("--download", action="store_true", help="fetch addresses with yt-dlp")
    parser.add_argument("--max-height", metavar="PX", type=natural, default=1080, help="largest picture height to download")
    parser.add_argument("--cookies", metavar="FILE", help="cookies for downloads, in Netscape's format")
    parser.add_argument("--sleep", metavar="S", type=seconds, default=5.0, help="seconds between the starts of two downloads on one machine")
    parser.add_argument("--retries", metavar="N", type=natural, default=3, help="how often a download is tried again, each time after a longer wait")
    parser.add_argument("--recheck", action="store_true", help="ask platforms again, and remove what is gone or no longer under its licence")


def seconds(text: str) -> float:
    """A number of seconds, 0 or more, for argparse."""
    value = float(text)
    if not 0 <= value < 86_400:
        raise ArgumentTypeError(f"{text} is no number of seconds from 0 to a day")
    return value


def configure(args: Namespace) -> IngestConfig:
    """The configuration of a command line. Raises `UsageError` when it names nothing to do."""
    if not args.source and not args.recheck:
        raise UsageError("ingest takes sources: folders, files, lists, manifests, addresses; or --recheck")
    return IngestConfig(
        sources=tuple(args.source),
        kind=args.format,
        labels=args.labels,
        copy=args.copy,
        download=args.download,
        max_height=args.max_height,
        cookies=args.cookies,
        sleep_s=args.sleep,
        retries=args.retries,
        recheck=args.recheck,
        nodes=args.recheck and on_cluster(args.master),
        limit=args.limit,
        quiet=args.quiet,
    )


def check(lake: Lake, config: IngestConfig) -> None:
    """Raise `MissingError` for a cookies file that is not there, and, before there is a lake, what else is refused: none is made then."""
    _cookies(config)
    if not lake.place.exists():
        if config.labels:
            read_sheet(config.labels)
        read_sources(config.sources, kind=config.kind, download=config.download)


@dataclass(frozen=True)
class Survey:
    """What a run has to do: all sources that were named, those that are new, and what is to change in videos that are known; and what lay
    beside the sources and is none."""

    sources: list[Source]
    new: list[Source]
    known: Known
    sheet: LabelSheet
    passed: PassedOver


def survey(lake: Lake, config: IngestConfig) -> Survey:
    """List the sources, every time, and compare them with what the lake knows."""
    sheet = read_sheet(config.labels) if config.labels else LabelSheet()
    passed = PassedOver()
    sources = read_sources(config.sources, kind=config.kind, download=config.download, excluded=_own_folders(lake), passed=passed)
    known = Known.of(lake.ledger)
    return Survey(sources, [source for source in sources if known.is_new(source)], known, sheet, passed)


def _own_folders(lake: Lake) -> frozenset[str]:
    """The lake itself and what was exported from it: never raw footage of a folder around them."""
    exported = lake.ledger.read("exports", ["out"])["out"].unique().to_pylist()
    return frozenset(folder if storage.is_remote(folder) else str(Path(folder).resolve()) for folder in (lake.place.root, *exported))


def idle(lake: Lake, config: IngestConfig) -> Summary | None:
    """A summary when nothing is new: neither a source nor a label or span of a known video; and no node is to be asked."""
    if config.nodes:
        return None
    found = survey(lake, config)
    if found.new or changes(lake, found.sources, found.known, found.sheet):
        return None
    notes = [f"ingest: nothing new among {len(found.sources)} sources"] if config.sources else []
    return _rechecked(None, lake, config, Summary("ingest", dict(NO_WORK), notes=[*notes, *_passed_over(found.passed), *_unmatched(lake, found)]))


def run(spark: "SparkSession | None", lake: Lake, config: IngestConfig) -> Summary:
    """read sources → describe and hash what is new → append failures, videos, sources."""
    started, run_id = now(), new_run_id("ingest")
    found = survey(lake, config)
    new = found.new[: config.limit]
    intake = Intake(lake, new, found.known, found.sheet, run_id)
    intake.commit(_without_looking(new, found.known))
    from_here = 0
    for rows, of_driver in _described(spark, lake, new, found.known, config):
        intake.commit(rows)
        from_here += of_driver
    updated = _update(lake, found)
    for table in ("videos", "sources"):
        lake.ledger.compact(table)
    metadata.refresh(lake)
    counts = {"in": len(new), "found": len(new), **{outcome: intake.outcomes[outcome] for outcome in OUTCOMES}}
    check_sum("ingest", "found", OUTCOMES, counts)
    summary = Summary("ingest", counts, notes=intake.notes(), complete=len(new) == len(found.new))
    summary.notes += [f"ingest: {from_here} files that executors do not see were copied into the lake from here"] if from_here else []
    summary.notes += [f"ingest: labels or spans of {updated} known videos were brought up to date"] if updated else []
    summary.notes += [*_passed_over(found.passed), *_unmatched(lake, found)]
    summary.extra["updated"] = updated
    noted = replace(config, sources=tuple(map(without_credentials, config.sources)))
    record(lake, summary, noted, run_id=run_id, started=started, depends_on=())
    return _rechecked(spark, lake, config, summary)


def _rechecked(spark: "SparkSession | None", lake: Lake, config: IngestConfig, summary: Summary) -> Summary:
    """The summary, with what platforms say of the videos that are known, where that was asked for."""
    if config.recheck:
        rechecked = recheck(lake, _download(config), config.limit, config.quiet, spark if config.nodes else None)
        told = {name: rechecked.counts[name] for name in ("asked", "there", "gone", "licence", "unknown")}
        lines = ["recheck: " + " ".join(f"{name}={count}" for name, count in told.items())]
        summary.results = "\n".join([*lines, *(escaped(f"  trained on it: {folder}") for folder in rechecked.checkpoints)])
        summary.extra |= {"recheck": told, "checkpoints": rechecked.checkpoints}
        summary.failure = rechecked.failure
        summary.notes += rechecked.notes
    return summary


def _download(config: IngestConfig) -> Download:
    return Download(config.max_height, _cookies(config), config.sleep_s, config.retries)


def _without_looking(new: list[Source], known: Known) -> list[dict[str, Any]]:
    """Result rows of sources that need no worker: removed ones, and those with a problem."""
    rows = []
    for number, source in enumerate(new):
        item = {"number": number}
        if known.tombstones.name(source):
            rows.append({**dict.fromkeys(ROWS.names), **item, "removed": True, "remarks": []})
        elif source.problem is not None:
            rows.append({**dict.fromkeys(ROWS.names), **failure(item, source.problem.code, source.problem.detail)})
    return rows


def _described(spark: "SparkSession | None", lake: Lake, new: list[Source], known: Known, config: IngestConfig) -> Iterator[tuple[list[dict[str, Any]], int]]:
    """Result rows of all other sources, a list per batch, batches in the order of sources; and of how many the driver made them."""
    items = [item_of(number, source) for number, source in enumerate(new) if source.problem is None and not known.tombstones.name(source)]
    if not items:
        return
    assert spark is not None
    media = lake.place.at("media")
    shelf.sweep(media)
    plan = Registration(
        media=media,
        copy=config.copy,
        download=_download(config) if config.download else None,
        removed_sha256=known.tombstones.sha256,
        removed_channels=known.tombstones.channels,
    )
    tables = in_batches(
        spark,
        items,
        partial(register_items, plan),
        schema=ROWS,
        weigh=partial(work_s, sleep_s=config.sleep_s),
        group=lambda item: item["uri"],
        on_death=died,
        verb="ingest",
        label=lambda item: item["uri"].rpartition("/")[2],
        quiet=config.quiet,
        in_order=True,
    )
    by_number = {item["number"]: item for item in items}
    for table in tables:
        yield brought(plan, by_number, table.to_pylist())
    shelf.sweep(media)


def work_s(item: dict[str, Any], sleep_s: float) -> float:
    """Rough seconds of one slot for a source: reading its bytes, or fetching it."""
    return sleep_s + 30.0 if item["is_download"] else 0.3 + (item["bytes"] or 0) / 200e6


def _cookies(config: IngestConfig) -> str | None:
    if config.cookies is None:
        return None
    try:
        return Path(config.cookies).read_text(encoding="utf-8")
    except OSError:
        raise MissingError(f"there is no cookies file {config.cookies}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{config.cookies} is no cookies file in Netscape's text format") from None


def changes(lake: Lake, sources: list[Source], known: Known, sheet: LabelSheet) -> list[dict[str, Any]]:
    """What the named sources and the labels CSV change in videos that the lake already has."""
    if not (sheet or any(source.labels or source.spans is not None or source.tubes is not None for source in sources)):
        return []
    return late.changed_videos(lake.ledger.read("videos", late.COLUMNS).to_pylist(), sources, known.video_of, sheet)


def _update(lake: Lake, found: Survey) -> int:
    """Bring labels and spans of known videos up to date in one commit; returns of how many."""
    changed = changes(lake, found.sources, Known.of(lake.ledger), found.sheet)
    if changed:
        schema = pa.schema([TABLES["videos"].schema.field(name) for name in ("video_id", "labels", "spans")])
        lake.ledger.update("videos", pa.Table.from_pylist(changed, schema=schema), ("labels", "spans"))
    return len(changed)


def _passed_over(passed: PassedOver) -> list[str]:
    """Notes about what the listings left out."""
    notes = []
    if names := passed.irregular:
        what = "1 entry that is no regular file" if len(names) == 1 else f"{len(names)} entries that are no regular files"
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        notes.append(f"ingest: passed over: {what}: {', '.join(map(escaped, names[:NAMED]))}{more}")
    counted = [f"{passed.other} file{'s' if passed.other > 1 else ''} without a video's extension"] if passed.other else []
    counted += [f"{passed.unfinished} that {'are' if passed.unfinished > 1 else 'is'} hidden or unfinished"] if passed.unfinished else []
    return [*notes, f"ingest: passed over: {', '.join(counted)}"] if counted else notes


def _unmatched(lake: Lake, found: Survey) -> list[str]:
    """A note when rows of the labels CSV fit no video of the lake."""
    sheet = found.sheet
    if not sheet:
        return []
    videos = lake.ledger.read("videos", ("video_id", "uri", "source")).to_pylist()
    ids = {video["video_id"] for video in videos}
    addresses = {video["uri"] for video in videos} | {(video["source"] or {}).get("url") for video in videos} | set(Known.of(lake.ledger).video_of)
    left = len(set(sheet.by_video_id) - ids) + len(set(sheet.by_uri) - addresses)
    return [f"ingest: {left} rows of the labels CSV fit no video of this lake"] if left else []


JOB = Job("ingest", "register raw videos", arguments, configure, run, check=check, idle=idle, creates_lake=lambda config: bool(config.sources))

if __name__ == "__main__":
    from jobs.cli import main

    main(["ingest", *sys.argv[1:]])
