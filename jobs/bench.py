"""`talkvid bench`: chooses the benchmark among curated clips, keeps its speakers out of training, and writes it in the published layout."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jobs import metadata
from jobs.arguments import natural
from jobs.batches import in_batches
from jobs.bench_choice import AXES, COLUMNS, DEFAULT_AXES, Candidate, Place, axes, choose, filled
from jobs.bench_plan import SETTING, STAGE, Pool, make_pool, media_facts, records
from jobs.export_ledger import ExportLedger
from jobs.export_plan import Settings
from jobs.history import new_run_id, record
from jobs.job import Job
from jobs.layouts.bench import Bench
from jobs.speakers import Exclusion, excluded
from jobs.summary import Summary, check_sum
from jobs.text_table import escaped, table
from schemas import storage
from schemas.active_policy import HOW, active_policy
from schemas.codes import RETRYABLE
from schemas.errors import MissingError, UsageError
from schemas.lake import Lake
from schemas.ledger import now
from schemas.tables import TABLES
from udfs.bench_cutting import ROWS, cut_forms, died
from udfs.fingerprint import fingerprint

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

VERSION = 1
"""Raised when the files of a benchmark change for the same settings."""
DEPENDS_ON = ("clip_metadata", "verdicts")


@dataclass(frozen=True)
class BenchConfig:
    """Where to (None: only the table), how many clips of each axis, how long each is, and the seed of the choice."""

    out: str | None = None
    axes: tuple[tuple[str, int], ...] = tuple(axes(DEFAULT_AXES, None).items())
    clip_s: float = 5.0
    seed: int = 42
    quiet: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        """What decides which clips are chosen."""
        return {"axes": dict(self.axes), "clip_s": self.clip_s, "seed": self.seed}

    @property
    def fingerprint(self) -> str:
        """As failures are kept under."""
        return fingerprint(STAGE, VERSION, {"clip_s": self.clip_s})


def arguments(parser: ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("out", metavar="OUT", nargs="?", help="folder or s3a:// prefix of the benchmark; only the table is written when not given")
    parser.add_argument("--size", metavar="N", type=natural, help="clips in all; the sum of --axes when not given (500)")
    parser.add_argument("--axes", metavar="AXIS=N,...", default=DEFAULT_AXES, help="clips of each subset, in equal groups")
    parser.add_argument("--clip-s", metavar="S", type=float, default=5.0, help="seconds of each clip")
    parser.add_argument("--seed", metavar="N", type=int, default=42, help="seed of the choice")


def configure(args: Namespace) -> BenchConfig:
    """The configuration of a command line. Raises `UsageError` for words that mean nothing."""
    out = None if args.out is None else storage.address(args.out)
    if out is not None and not storage.is_remote(out) and Path(out).is_file():
        raise UsageError(f"{args.out} is a file; give a folder")
    if not 1 <= args.clip_s <= 60:
        raise UsageError("--clip-s takes 1 to 60 seconds")
    if args.size == 0:
        raise UsageError("--size must be 1 or more")
    return BenchConfig(out, tuple(axes(args.axes, args.size).items()), args.clip_s, args.seed, args.quiet)


def idle(lake: Lake, config: BenchConfig) -> Summary | None:
    """The benchmark itself when nothing has to be cut: then Spark is not needed."""
    metadata.refresh(lake)
    work = _Work(lake, config)
    return None if work.to_cut() else work.done(None)


def run(spark: "SparkSession | None", lake: Lake, config: BenchConfig) -> Summary:
    """curated clips → choose → cut → `bench`, records."""
    return _Work(lake, config).done(spark)


class _Work:
    """One run: the pool, the places chosen so far, and what became of them."""

    def __init__(self, lake: Lake, config: BenchConfig) -> None:
        policy = active_policy(lake.ledger)
        if policy is None:
            raise MissingError(HOW)
        self.lake, self.config, self.policy = lake, config, policy
        self.started, self.run_id = now(), new_run_id("bench")
        self.shares = dict(config.axes)
        self.pool: Pool = make_pool(lake, policy, config.clip_s, config.settings, config.fingerprint)
        self.by_clip = {one.clip_id: one for one in self.pool.candidates}
        self.files = self._present_files()
        self.failed: set[str] = set()
        self.places = self._choose()

    def _choose(self) -> list[Place]:
        able = [one for one in self.pool.candidates if one.clip_id not in self.failed]
        kept = [place for place in self.pool.kept if place.clip_id not in self.failed]
        return choose(able, self.shares, self.config.seed, kept)

    def to_cut(self) -> list[Place]:
        """Places whose files are not there; none without a folder."""
        return [place for place in self.places if (place.axis, place.clip_id) not in self.files] if self.config.out else []

    def done(self, spark: "SparkSession | None") -> Summary:
        """Cut, note, publish, and tell."""
        before = {(place.axis, place.clip_id) for place in self.pool.kept} & (set(self.files) if self.config.out else _keys(self.pool.kept))
        while waiting := self.to_cut():
            failed = self._cut(spark, waiting)
            self.failed |= failed
            if not failed:
                break
            self.places = self._choose()
        written = [place for place in self.places if (place.axis, place.clip_id) not in before]
        counts = {"in": len(written) + len(self.failed), "wanted": len(self.places) + len(self.failed), "written": len(written)}
        counts |= {"present": len(self.places) - len(written), "failed": len(self.failed)}
        check_sum("bench", "wanted", ("written", "present", "failed"), counts)
        outputs = [self.config.out] if self.config.out else []
        summary = Summary("bench", counts, fingerprint=self.config.fingerprint, outputs=outputs)
        changed = bool(counts["in"]) or self.pool.stale or self.lake.ledger.setting(SETTING) is None
        if changed:
            self._note()
        self._publish()
        self._tell(summary)
        if changed:
            record(self.lake, summary, self.config, run_id=self.run_id, started=self.started, depends_on=DEPENDS_ON)
        return summary

    def _cut(self, spark: "SparkSession | None", places: Sequence[Place]) -> set[str]:
        """Cut places; returns the clips that failed. Files come before their rows in `exports`, those before the row in `bench`."""
        assert spark is not None and self.config.out is not None
        facts = media_facts(self.lake, {place.clip_id: self.by_clip[place.clip_id] for place in places})
        items = [
            {"clip_id": place.clip_id, "axis": place.axis, "folder": self._folder(place.axis), **facts[place.clip_id], **_span(self, place)} for place in places
        ]
        options = {"weigh": lambda item: 1.0, "group": lambda item: item["uri"], "label": lambda item: item["clip_id"]}
        failed: set[str] = set()
        for axis in {place.axis for place in places}:
            anew = {place.clip_id for place in places if place.axis == axis}
            self._layout(axis).sweep()
            self._ledger(axis).forget([row for row in self._exported(axis) if row["clip_id"] in anew])
        for batch in in_batches(spark, items, cut_forms, schema=ROWS, on_death=died, verb="bench", quiet=self.config.quiet, **options):
            rows = batch.to_pylist()
            for axis in {row["axis"] for row in rows}:
                place = self._layout(axis)
                done = {row["clip_id"]: (place.cut_file(row["clip_id"]), row["bytes"]) for row in rows if row["axis"] == axis and not row["code"]}
                self._ledger(axis).add(done)
                self.files |= {(axis, clip_id): file for clip_id, (file, _) in done.items()}
            failed |= self._fail([row for row in rows if row["code"]])
        return failed

    def _fail(self, rows: Sequence[dict[str, Any]]) -> set[str]:
        """Note clips that could not be cut, once each."""
        by_clip = {row["clip_id"]: row for row in rows}
        common = {"stage": STAGE, "fingerprint": self.config.fingerprint, "attempt": 1, "at": now(), "run_id": self.run_id}
        told = [common | {"entity": row["clip_id"], "code": row["code"], "detail": row["detail"]} for row in by_clip.values()]
        self.lake.ledger.append("failures", [row | {"retryable": row["code"] in RETRYABLE} for row in told])
        return set(by_clip)

    def _note(self) -> None:
        """Make these places the table, in one commit."""
        at = now()
        rows = [
            {"clip_id": place.clip_id, "axis": place.axis, "group": place.group, "rank": place.rank, "start_s": one.start_s, "end_s": one.end_s}
            | {"speaker_id": one.speaker_id, "speaker_source": one.speaker_source, "seed": self.config.seed, "run_id": self.run_id, "created_at": at}
            for place, one in self._placed()
        ]
        self.lake.ledger.overwrite("bench", pa.Table.from_pylist(rows, TABLES["bench"].schema).to_reader())
        self.lake.ledger.set(SETTING, json.dumps(self.config.settings, sort_keys=True))

    def _publish(self) -> None:
        """Records of each subset; files of clips that no longer stand in it go, also those of a subset that is not wanted any more."""
        if not self.config.out:
            return
        for axis in AXES:
            place, ledger = self._layout(axis), self._ledger(axis)
            placed = {spot.clip_id: (spot, one) for spot, one in self._placed() if spot.axis == axis}
            gone = [row for row in self._exported(axis) if row["clip_id"] not in placed]
            place.drop(gone)
            ledger.forget(gone)
            files = {clip_id: self.files[axis, clip_id] for clip_id in placed}
            if axis not in self.shares and gone:
                place.withdraw()
            elif placed or place.published():
                place.publish(records(self.lake, axis, placed, files), files)

    def _tell(self, summary: Summary) -> None:
        groups = filled(self.places, self.shares)
        lacking = [one for one in groups if one.found < one.wanted]
        shown = [one for one in groups if one.wanted or one.found]
        cells = [(one.axis, one.group, str(one.found), str(one.wanted), "" if one.found == one.wanted else "cannot be filled") for one in shown]
        summary.results = escaped(table(("axis", "group", "clips", "wanted", ""), cells, (False, False, True, True, False)), keep="\n")
        for axis in dict.fromkeys(one.axis for one in lacking):
            missing = [f"{one.group} ({one.found} of {one.wanted})" for one in lacking if one.axis == axis]
            summary.notes.append(f"bench: not enough clips with {COLUMNS[axis]} {', '.join(missing)}")
        if self.pool.too_short or self.pool.unknown:
            summary.notes.append(
                f"bench: of {len(self.pool.clips)} curated clips {self.pool.too_short} are shorter than {self.config.clip_s:g} s, "
                f"and of {self.pool.unknown} nobody can tell who speaks (no label, no face measured)"
            )
        chosen = {one.clip_id: one for _, one in self._placed()}
        out = excluded(self.lake, chosen, {one.speaker_id for one in chosen.values()}) if chosen else Exclusion()
        people = {(one.speaker_id, one.speaker_source) for one in chosen.values()}
        by_face = sum(source == "embedding" for _, source in people)
        speakers = "1 speaker" if len(people) == 1 else f"{len(people)} speakers"
        summary.notes.append(f"bench: {speakers} ({by_face} told by their faces); {len(out.clips)} clips that show them are not trained on")
        if untold := len(out.untold & self.pool.clips):
            summary.notes.append(f"bench: {untold} curated clips stay in training though nobody can tell if they show a speaker of the benchmark")
        summary.extra |= {
            "lacking": [vars(one) for one in lacking],
            "speakers": len(people),
            "speakers_by_face": by_face,
            "excluded_clips": len(out.clips),
            "untold_clips": untold,
        }

    def _placed(self) -> Iterator[tuple[Place, Candidate]]:
        return ((place, self.by_clip[place.clip_id]) for place in self.places)

    def _ledger(self, axis: str) -> ExportLedger:
        settings = Settings(f"bench-{self.config.clip_s:g}", None, True)
        return ExportLedger(self.lake, self._folder(axis), settings, self.policy.policy_hash, self.run_id)

    def _folder(self, axis: str) -> str:
        return storage.at(self.config.out or "", axis)

    def _layout(self, axis: str) -> Bench:
        return Bench(self._folder(axis))

    def _exported(self, axis: str) -> list[dict[str, Any]]:
        out = self._folder(axis)
        return [row for row in self.lake.ledger.read("exports").to_pylist() if row["out"] == out]

    def _present_files(self) -> dict[tuple[str, str], str]:
        """File of each clip that was cut with the same span before and is there."""
        if not self.config.out:
            return {}
        found = {}
        for axis in self.shares:
            settings = self._ledger(axis).settings.json()
            rows = [row for row in self._exported(axis) if row["settings"] == settings]
            there = self._layout(axis).present(rows)
            found |= {(axis, row["clip_id"]): row["file"] for row in rows if row["clip_id"] in there}
        return found


def _keys(places: Sequence[Place]) -> set[tuple[str, str]]:
    return {(place.axis, place.clip_id) for place in places}


def _span(work: _Work, place: Place) -> dict[str, float]:
    one = work.by_clip[place.clip_id]
    return {"start_s": one.start_s, "end_s": one.end_s}


JOB = Job("bench", "choose the benchmark and keep its speakers out of training", arguments, configure, run, idle=idle, limit="")

if __name__ == "__main__":
    from jobs.cli import main

    main(["bench", *sys.argv[1:]])
