"""`talkvid segment`: finds shots, speech and clips of the videos that lack them."""

import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from cluster.stages import is_local
from jobs import metadata
from jobs.batches import in_batches
from jobs.devices import stage_device
from jobs.history import new_run_id, record
from jobs.job import Job
from jobs.pending_videos import pending_videos, with_clips
from jobs.summary import Summary, check_sum
from schemas.codes import RETRYABLE
from schemas.lake import Lake
from schemas.ledger import now
from schemas.tables import TABLES
from udfs import weights
from udfs.presets import DETECTORS, PRESETS, Preset, make_preset
from udfs.segmentation import ROWS, SegmentPlan, died, needed_weights, segment_fingerprint, segment_items

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DEPENDS_ON = ("videos",)
STAGE = "segment"


@dataclass(frozen=True)
class SegmentConfig:
    """What to make of videos. `preset` None: `manifest` when every video came with spans, else `default`.

    None leaves what the preset has; `speech` false measures none.
    """

    preset: str | None = None
    detector: str | None = None
    threshold: float | None = None
    min_s: float | None = None
    max_s: float | None = None
    speech: bool = True
    device: str = "auto"
    limit: int | None = None
    quiet: bool = False


def arguments(parser: ArgumentParser) -> None:
    """Flags of the verb."""
    default = PRESETS["default"]
    parser.add_argument("--preset", choices=tuple(PRESETS), help="rules for clips; manifest by itself when every video came with spans, else default")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where the network runs")
    parser.add_argument("--detector", choices=DETECTORS, help=f"what finds shots; {default.detector} when not given")
    parser.add_argument("--threshold", metavar="X", type=float, help="the detector's threshold; its usual one when not given")
    parser.add_argument("--min-s", metavar="S", type=float, help=f"shortest clip, 0 for any; {default.min_s:g} when not given")
    parser.add_argument("--max-s", metavar="S", type=float, help=f"longer shots are split where it is quietest, 0 for never; {default.max_s:g} when not given")
    parser.add_argument("--no-speech", action="store_true", help="do not look for speech")


def configure(args: Namespace) -> SegmentConfig:
    """The configuration of a command line. Raises `UsageError` for changes that the preset does not take."""
    config = SegmentConfig(args.preset, args.detector, args.threshold, args.min_s, args.max_s, not args.no_speech, args.device, args.limit, args.quiet)
    _changed(config, config.preset or "default")
    return config


def chosen_preset(lake: Lake, config: SegmentConfig) -> Preset:
    """The preset that is meant, with the user's changes."""
    changed = any(value is not None for value in (config.detector, config.threshold, config.min_s, config.max_s))
    if config.preset is None and not changed:
        spans = lake.ledger.read("videos", ["spans"])["spans"]
        if len(spans) and spans.null_count == 0:
            return _changed(config, "manifest")
    return _changed(config, config.preset or "default")


def _changed(config: SegmentConfig, name: str) -> Preset:
    changes = {"detector": config.detector, "threshold": config.threshold, "min_s": config.min_s, "max_s": config.max_s}
    return make_preset(name, **changes, speech=config.speech)


def check(lake: Lake, config: SegmentConfig) -> None:
    """Raises `MissingError` when weights are not there."""
    for name in needed_weights(chosen_preset(lake, config)):
        weights.path(name)


def idle(lake: Lake, config: SegmentConfig) -> Summary | None:
    """A summary when no video is pending; its preset becomes the active one all the same."""
    preset = chosen_preset(lake, config)
    fingerprint = segment_fingerprint(preset)
    if pending_videos(lake, preset.name, fingerprint, config.limit):
        return None
    _activate(lake, preset)
    counts = {"in": 0, "videos": 0, "with_clips": 0, "without_clips": 0, "failed": 0}
    return Summary("segment", counts, fingerprint=fingerprint, notes=["segment: no video is pending"], extra={"preset": preset.name})


def run(spark: "SparkSession | None", lake: Lake, config: SegmentConfig) -> Summary:
    """read pending videos → segment → write failures, clips, segmentations."""
    assert spark is not None
    started, run_id = now(), new_run_id("segment")
    preset = chosen_preset(lake, config)
    fingerprint = segment_fingerprint(preset)
    videos = pending_videos(lake, preset.name, fingerprint, config.limit)
    counts = {"in": len(videos), "videos": len(videos), "with_clips": 0, "without_clips": 0, "failed": 0}
    commit = _Commit(lake, preset.name, fingerprint, run_id, videos)
    for rows in _segmented(spark, videos, SegmentPlan(preset, _device(spark, config.device)), config):
        commit(rows, counts)
    _activate(lake, preset)
    check_sum("segment", "videos", ("with_clips", "without_clips", "failed"), counts)
    notes = [f"segment: {number} without clips: {reason}" for reason, number in sorted(commit.reasons.items())]
    extra = {"preset": preset.name, "clips": commit.clips, "reasons": dict(commit.reasons)}
    summary = Summary("segment", counts, fingerprint=fingerprint, notes=notes, extra=extra, complete=config.limit is None)
    record(lake, summary, config, run_id=run_id, started=started, depends_on=DEPENDS_ON, fingerprints={"segment": fingerprint})
    return summary


def _device(spark: "SparkSession", wanted: str) -> str:
    """Where the network runs. On a cluster `auto` is the CPU: decoding is what segmentation costs, and the CPU stage has every core."""
    return stage_device(spark, "cpu" if wanted == "auto" and not is_local(spark) else wanted)


def _segmented(spark: "SparkSession", videos: list[dict[str, Any]], plan: SegmentPlan, config: SegmentConfig) -> Iterator[pa.Table]:
    """Result rows of all videos, a table per batch."""
    return in_batches(
        spark,
        videos,
        partial(segment_items, plan),
        schema=ROWS,
        weigh=work_s,
        group=lambda video: video["video_id"],
        on_death=died,
        verb="segment",
        label=lambda video: video["video_id"],
        quiet=config.quiet,
        device=plan.device,
    )


def work_s(video: dict[str, Any]) -> float:
    """Rough seconds of one slot for a video: its length, more for large pictures."""
    return 0.5 + video["duration_s"] * max(0.03, video["width"] * video["height"] * 1.5e-7)


class _Commit:
    """Writes a batch. The rows in `segmentations`, by which a video counts as done, come last: a run killed before does it again."""

    def __init__(self, lake: Lake, preset: str, fingerprint: str, run_id: str, videos: list[dict[str, Any]]) -> None:
        self._ledger, self._preset = lake.ledger, preset
        self._made_by = {"fingerprint": fingerprint, "run_id": run_id}
        self._attempts = {video["video_id"]: video["attempts"] for video in videos}
        self._had_clips = with_clips(lake, preset, list(self._attempts))
        self.clips = 0
        self.reasons: Counter[str] = Counter()

    def __call__(self, rows: pa.Table, counts: dict[str, int]) -> None:
        """Commit the result rows of a batch and count them."""
        results = rows.to_pylist()
        failed = [row for row in results if row["code"]]
        done = [row for row in results if not row["code"]]
        self._ledger.append("failures", [self._failure(row) for row in failed])
        self._write_clips(done)
        self._ledger.append("segmentations", [self._segmentation(row) for row in done])
        self.reasons.update(row["reason"] for row in done if not row["clips"])
        counts["failed"] += len(failed)
        counts["with_clips"] += sum(1 for row in done if row["clips"])
        counts["without_clips"] += sum(1 for row in done if not row["clips"])

    def _write_clips(self, done: list[dict[str, Any]]) -> None:
        """Append the clips; those of a video that had some of this preset take their place, in one commit."""
        again = [row["video_id"] for row in done if row["video_id"] in self._had_clips]
        clips = [clip | {"video_id": row["video_id"], "preset": self._preset} | self._made_by for row in done for clip in row["clips"]]
        self.clips += len(clips)
        if again:
            ids = ", ".join(f"'{video_id}'" for video_id in again)
            replaced = [clip for clip in clips if clip["video_id"] in self._had_clips]
            predicate = f"preset = '{self._preset}' AND video_id IN ({ids})"
            self._ledger.replace("clips", pa.Table.from_pylist(replaced, schema=TABLES["clips"].schema), predicate)
        self._ledger.append("clips", [clip for clip in clips if clip["video_id"] not in self._had_clips])

    def _segmentation(self, row: dict[str, Any]) -> dict[str, Any]:
        kept = {name: row[name] for name in ("video_id", "reason", "shots", "transitions")}
        outcome = "with_clips" if row["clips"] else "without_clips"
        return kept | {"preset": self._preset, "outcome": outcome, "clips": len(row["clips"]), "segmented_at": now()} | self._made_by

    def _failure(self, row: dict[str, Any]) -> dict[str, Any]:
        about = {"entity": row["video_id"], "stage": STAGE, "code": row["code"], "detail": row["detail"], "at": now()}
        return about | {"retryable": row["code"] in RETRYABLE, "attempt": self._attempts[row["video_id"]] + 1} | self._made_by


def _activate(lake: Lake, preset: Preset) -> None:
    """Make the preset the one that `clip_metadata` shows, and bring that up to date."""
    lake.ledger.set("active_preset", preset.name)
    metadata.refresh(lake)
    for table in ("clips", "segmentations"):
        lake.ledger.compact(table)
    metadata.keep_state(lake)


JOB = Job("segment", "find shots, speech and clips", arguments, configure, run, check=check, idle=idle)

if __name__ == "__main__":
    from jobs.cli import main

    main(["segment", *sys.argv[1:]])
