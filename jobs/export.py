"""`talkvid export`: cuts the clips that a policy keeps and writes them as a dataset."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs import metadata
from jobs.batches import in_batches
from jobs.export_ledger import ExportLedger
from jobs.export_plan import Plan, Settings, make_plan, records
from jobs.history import configuration_json, new_run_id, record
from jobs.job import Job
from jobs.layouts import CHOICES, LAYOUTS, Layout, layout
from jobs.random_weights import sentences
from jobs.summary import Summary, check_sum
from schemas import storage
from schemas.active_policy import HOW, active_policy
from schemas.errors import MissingError, UsageError
from schemas.ids import media_name
from schemas.lake import Lake
from schemas.ledger import now
from schemas.policy import Policy
from schemas.policy_files import load
from udfs.exporting import ROWS, CutPlan, cut_clips, died

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DEPENDS_ON = ("clip_metadata", "verdicts")


@dataclass(frozen=True)
class ExportConfig:
    """Where to, whose choice (None: the active policy), and how. `fps` None keeps the frames of the source."""

    out: str
    policy: str | None = None
    layout: str = "talkvid"
    fps: float | None = None
    shard_size: int = 1000
    media: bool = True
    limit: int | None = None
    quiet: bool = False

    @property
    def settings(self) -> Settings:
        """What shapes the files."""
        return Settings(self.layout, self.fps if self.media else None, self.media)


def arguments(parser: ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("out", metavar="OUT", help="folder or s3a:// prefix of the dataset")
    parser.add_argument("--policy", metavar="P", help="policy by name or file; the active one when not given")
    parser.add_argument("--layout", choices=CHOICES, default="talkvid", help="how the dataset lies on disk")
    parser.add_argument("--fps", metavar="source|25", default="source", help="frames as in the source, or at a constant rate")
    parser.add_argument("--shard-size", metavar="N", type=int, default=1000, help="clips in one tar of webdataset")
    parser.add_argument("--no-media", action="store_true", help="addresses and times only")


def configure(args: Namespace) -> ExportConfig:
    """The configuration of a command line. Raises `UsageError` for words that mean nothing."""
    out = storage.address(args.out)
    if not storage.is_remote(out) and Path(out).exists() and not Path(out).is_dir():
        raise UsageError(f"{args.out} is a file; give a folder")
    if args.shard_size < 1:
        raise UsageError("--shard-size must be 1 or more")
    return ExportConfig(out, args.policy, args.layout, _fps(args.fps), args.shard_size, not args.no_media, args.limit, args.quiet)


def _fps(text: str) -> float | None:
    """Frames a second of `source` (None) or `25`."""
    if text == "source":
        return None
    try:
        fps = float(text)
    except ValueError:
        fps = 0.0
    if not 1 <= fps <= 240:
        raise UsageError(f"--fps takes source, or frames a second from 1 to 240, not {text!r}")
    return fps


def idle(lake: Lake, config: ExportConfig) -> Summary | None:
    """The export itself when no clip has to be cut: then Spark is not needed."""
    metadata.refresh(lake)
    policy, place = _policy(lake, config), _layout(config)
    plan = make_plan(lake, policy, config.settings, place, config.limit)
    return None if plan.new and config.media else _export(None, lake, config, policy, place, plan)


def run(spark: "SparkSession | None", lake: Lake, config: ExportConfig) -> Summary:
    """read kept clips → cut → write the dataset's records."""
    policy, place = _policy(lake, config), _layout(config)
    return _export(spark, lake, config, policy, place, make_plan(lake, policy, config.settings, place, config.limit))


def _policy(lake: Lake, config: ExportConfig) -> Policy:
    policy = load(config.policy) if config.policy else active_policy(lake.ledger)
    if policy is None:
        raise MissingError(HOW)
    return policy


def _layout(config: ExportConfig) -> Layout:
    return layout(config.layout, config.out, media=config.media, shard_size=config.shard_size)


def _export(spark: "SparkSession | None", lake: Lake, config: ExportConfig, policy: Policy, place: Layout, plan: Plan) -> Summary:
    """Do what is planned, and note it. Files go before their rows, and rows come after their files."""
    started, run_id = now(), new_run_id("export")
    failed = list(plan.failed)
    counts = {"in": len(plan.new) + len(plan.vanished), "wanted": len(plan.present) + len(plan.new) + len(failed), "written": 0}
    counts |= {"present": len(plan.present), "failed": len(failed)}
    summary = Summary("export", counts, fingerprint=f"{policy.name}:{policy.policy_hash}", outputs=[config.out], complete=config.limit is None)
    summary.results = "\n".join(sentences(plan.random, counts["wanted"]))
    if not (counts["in"] or plan.stale) and place.published() and _current(lake, config, policy):
        summary.notes.append(f"export: nothing new for {config.out}")
        return summary
    ledger = ExportLedger(lake, config.out, config.settings, policy.policy_hash, run_id)
    if not place.is_remote:
        Path(config.out).mkdir(parents=True, exist_ok=True)
    place.sweep()
    place.drop(plan.stale)
    for other in {row["layout"] for row in plan.stale} - {config.layout}:
        LAYOUTS[other](place.out, media=config.media, shard_size=config.shard_size).withdraw()
    ledger.forget(plan.stale)
    ledger.fail([(clip_id, "vanished", detail) for clip_id, detail in plan.vanished.items()], plan.attempts)
    files = dict(plan.files)
    for rows in _cut(spark, config, place, plan.new):
        done = {row["clip_id"]: (place.cut_file(row["clip_id"]) if config.media else None, row["bytes"]) for row in rows if not row["code"]}
        ledger.fail([(row["clip_id"], row["code"], row["detail"]) for row in rows if row["code"]], plan.attempts)
        ledger.add(done)
        files |= {clip_id: file for clip_id, (file, _) in done.items()}
        counts["written"] += len(done)
        counts["failed"] += len(rows) - len(done)
    ledger.move(files, place.publish(records(lake, policy, files), files))
    place.clean()
    place.sweep()
    gone = {row["clip_id"] for row in plan.stale} - set(files)
    summary.notes += [f"export: {len(gone)} clips that are no longer kept were taken out of {config.out}"] if gone else []
    summary.extra["taken_out"] = len(gone)
    check_sum("export", "wanted", ("written", "present", "failed"), counts)
    record(lake, summary, config, run_id=run_id, started=started, depends_on=DEPENDS_ON, fingerprints={"policy": policy.policy_hash})
    return summary


def _current(lake: Lake, config: ExportConfig, policy: Policy) -> bool:
    """True when the records were written from the tables as they are now."""
    run = lake.ledger.last_complete_run("export", configuration_json(config))
    return run is not None and run["fingerprints"] == {"policy": policy.policy_hash} and lake.ledger.unchanged_since(run)


def _cut(spark: "SparkSession | None", config: ExportConfig, place: Layout, new: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Result rows of new clips, batch by batch; without media nothing is cut, and all are one batch."""
    if not config.media:
        yield [{"clip_id": clip["clip_id"], "bytes": None, "code": None, "detail": None} for clip in new]
        return
    if not new:
        return
    folder = place.address(place.cut_folder)
    if not place.is_remote:
        Path(folder).mkdir(parents=True, exist_ok=True)
    assert spark is not None
    tables = in_batches(
        spark,
        [clip | {"name": media_name(clip["clip_id"], "mp4")} for clip in new],
        partial(cut_clips, CutPlan(folder, config.fps)),
        schema=ROWS,
        weigh=work_s,
        group=lambda clip: clip["video_id"],
        on_death=died,
        verb="export",
        label=lambda clip: clip["clip_id"],
        quiet=config.quiet,
    )
    for table in tables:
        yield table.to_pylist()


def work_s(clip: dict[str, Any]) -> float:
    """Rough seconds of one slot for a clip: its length, more for large pictures."""
    return 0.3 + (clip["end_s"] - clip["start_s"]) * max(0.1, clip["width"] * clip["height"] / 2e6)


JOB = Job("export", "cut the kept clips and write a dataset", arguments, configure, run, idle=idle)

if __name__ == "__main__":
    from jobs.cli import main

    main(["export", *sys.argv[1:]])
