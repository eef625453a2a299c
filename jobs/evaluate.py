"""`talkvid evaluate`: what generated videos are worth, by metric and group, in a table and on a page."""

import hashlib
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.evaluating import ROWS, EvaluationPlan, died, evaluate_items
from inference.metrics.bootstrap import RESAMPLES
from inference.metrics.catalogue import BY_NAME, Metric, Settings, chosen
from jobs.arguments import natural
from jobs.batches import in_batches
from jobs.devices import stage_device
from jobs.evaluation_groups import VERSION, Measured, known, rows
from jobs.evaluation_items import AXES, Item, Items, of_folders, of_run
from jobs.history import configuration_json, new_run_id, record
from jobs.job import Job
from jobs.report_page import evaluation
from jobs.summary import Summary, check_sum
from schemas import storage
from schemas.codes import RETRYABLE
from schemas.errors import MissingError, UsageError
from schemas.lake import Lake
from schemas.ledger import now

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

STAGE = "evaluate"
DEPENDS_ON = ("generations", "evaluated")
PAGE_VERSION = 3
"""Raised when the page changes for the same numbers."""
WORKER_GIB = 3.0


@dataclass(frozen=True)
class EvaluateConfig:
    """Whose videos (a run of generate, the newest when nothing is said, or two folders), which metrics (none: all), groups, and where the page goes."""

    generations: str | None = None
    generated: str | None = None
    reference: str | None = None
    metrics: tuple[str, ...] = ()
    group_by: tuple[str, ...] = AXES
    bootstrap: int = RESAMPLES
    stride: int = Settings().stride
    faces: str = "auto"
    out: str | None = None
    retry_failed: bool = False
    device: str = "auto"
    limit: int | None = None
    quiet: bool = False


def arguments(parser: ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument(
        "--generations", metavar="RUN", help="run of generate, or all; the newest one when not given (other options or a changed table begin a new one)"
    )
    parser.add_argument("--generated", metavar="DIR", help="folder or s3a:// prefix of videos, in the place of a run")
    parser.add_argument("--reference", metavar="DIR", help="folder or s3a:// prefix of real videos, each called as the generated one it belongs to")
    parser.add_argument("--metrics", metavar="A,B", help=f"of {', '.join(BY_NAME)}; all when not given")
    parser.add_argument(
        "--group-by",
        metavar="A,B",
        default=",".join(AXES),
        help="labels to group by, in the benchmark's groups where they mean one (en: English); empty for none",
    )
    parser.add_argument("--bootstrap", metavar="N", type=natural, default=RESAMPLES, help="resamples of an interval")
    parser.add_argument("--stride", metavar="N", type=natural, default=Settings().stride, help="networks look at every Nth picture of 25 a second")
    parser.add_argument("--faces", metavar="BACKEND", default="auto", help="face back end: centerface-dlib, insightface:<pack>, or auto")
    parser.add_argument("--out", metavar="HTML", help="file to write; evaluation.html in the lake when not given")
    parser.add_argument("--retry-failed", action="store_true", help="try videos again that failed before")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where networks run")


def configure(args: Namespace) -> EvaluateConfig:
    """The configuration of a command line. Raises `UsageError` for words that mean nothing."""
    if args.generated and args.generations:
        raise UsageError("--generations and --generated exclude each other")
    if args.reference and not args.generated:
        raise UsageError("--reference belongs to --generated; a run of generate has its real videos in its own table")
    if args.bootstrap < 1 or args.stride < 1:
        raise UsageError("--bootstrap and --stride must be 1 or more")
    if args.out is not None and Path(args.out).suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"evaluate writes one HTML file, and {args.out} is no such name")
    axes = _words(args.group_by)
    for axis in axes:
        if axis not in AXES:
            raise UsageError(f"--group-by takes {', '.join(AXES)}, not {axis!r}")
    folders = tuple(storage.address(folder) if folder else None for folder in (args.generated, args.reference))
    names = tuple(metric.name for metric in chosen(_words(args.metrics))) if args.metrics else ()
    more = (args.bootstrap, args.stride, args.faces, args.out, args.retry_failed, args.device, args.limit, args.quiet)
    return EvaluateConfig(args.generations, *folders, names, axes, *more)


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in (text or "").split(",") if word.strip()))


def idle(lake: Lake, config: EvaluateConfig) -> Summary | None:
    """The evaluation itself when every video was measured: then Spark is not needed."""
    work = _Work(lake, config)
    return None if work.pending else work.done(None)


def run(spark: "SparkSession | None", lake: Lake, config: EvaluateConfig) -> Summary:
    """read pairs → measure → `evaluated`, `evaluations`, page."""
    return _Work(lake, config).done(spark)


class _Work:
    """One run: the videos, the metrics that can be had, and what is known already."""

    def __init__(self, lake: Lake, config: EvaluateConfig) -> None:
        self.lake, self.config = lake, config
        self.started, self.run_id = now(), new_run_id("evaluate")
        self.videos: Items = of_folders(lake, config.generated, config.reference) if config.generated else of_run(lake, config.generations)
        self.settings = Settings(stride=config.stride, faces=config.faces).with_backend()
        self.metrics: tuple[Metric, ...] = chosen(config.metrics)
        self.lacking = {metric.name: sentence for metric in self.metrics if (sentence := metric.lacks(self.settings))}
        named = [name for name in config.metrics if name in self.lacking]
        if named and len(named) == len(self.metrics):
            raise MissingError(f"metric {named[0]}: {self.lacking[named[0]]}")
        self.wanted = {metric.name: metric.fingerprint(self.settings) for metric in self.metrics if metric.name not in self.lacking}
        self.measured: Measured = known(lake, self.videos.items, self.wanted)
        attempts = self._attempts()
        asked = {item.item_id: self._asked(item) for item in self.videos.items}
        waiting = [item for item in self.videos.items if asked[item.item_id]]
        self.failed_before = [item for item in waiting if attempts.get(item.item_id) and not config.retry_failed]
        gone = {item.item_id for item in self.failed_before}
        self.pending = [item for item in waiting if item.item_id not in gone][: config.limit]
        self.asked, self.attempts = asked, attempts
        self.out = storage.address(config.out or lake.place.at("evaluation.html"))

    def _asked(self, item: Item) -> list[str]:
        """Metrics of a video that were not measured yet."""
        able = [name for name in self.wanted if item.generated or BY_NAME[name].of_sets]
        return [name for name in able if not self.measured.has(name, item.item_id)]

    def _tried(self, item_id: str) -> str:
        """As failures of a video are kept under."""
        return f"evaluate-{item_id}-{hashlib.sha256(repr(sorted(self.wanted.items())).encode()).hexdigest()[:12]}"

    def _attempts(self) -> dict[str, int]:
        """How often a video failed with these metrics."""
        found: dict[str, int] = {}
        names = {self._tried(item.item_id): item.item_id for item in self.videos.items}
        for row in self.lake.ledger.read("failures", ("stage", "fingerprint")).to_pylist():
            if row["stage"] == STAGE and row["fingerprint"] in names:
                item_id = names[row["fingerprint"]]
                found[item_id] = found.get(item_id, 0) + 1
        return found

    def done(self, spark: "SparkSession | None") -> Summary:
        """Measure, group, write, and tell."""
        counts = {"in": len(self.pending), "wanted": len(self.videos.items) - self._left_over(), "written": 0, "present": 0, "failed": len(self.failed_before)}
        counts["present"] = counts["wanted"] - len(self.pending) - counts["failed"]
        if self.pending:
            assert spark is not None
            for batch in self._measure(spark):
                self._commit(batch, counts)
        check_sum("evaluate", "wanted", ("written", "present", "failed"), counts)
        made = sorted({self.wanted.get(metric.name, "") for metric in self.metrics})
        summary = Summary("evaluate", counts, fingerprint=",".join(filter(None, made)), outputs=[self.out], complete=self.config.limit is None)
        state = self._state()
        last = self.lake.ledger.last_complete_run("evaluate", configuration_json(self.config))
        same = not counts["in"] and last is not None and last["fingerprints"] == {"state": state} and storage.exists(self.out)
        if same and last is not None:
            told = [row for row in self.lake.ledger.read("evaluations").to_pylist() if row["run_id"] == last["run_id"]]
            summary.notes.append(f"evaluate: nothing new since {last['finished']:%Y-%m-%d %H:%M}")
        else:
            told = self._grouped()
            self.lake.ledger.append("evaluations", told)
            for table in ("evaluated", "evaluations"):
                self.lake.ledger.compact(table)
            facts = {"rows": told, "made_at": now(), "lake": self.lake.place.root, "failures": self._failures()}
            storage.put_bytes(evaluation.page(self.videos, self.metrics, facts).encode(), self.out)
        self._tell(summary, told)
        if not same:
            more = {"run_id": self.run_id, "started": self.started, "depends_on": DEPENDS_ON, "fingerprints": {"state": state}}
            record(self.lake, summary, self.config, **more)
        return summary

    def _left_over(self) -> int:
        """Videos that a limit leaves for another run."""
        waiting = sum(1 for item in self.videos.items if self.asked[item.item_id])
        return waiting - len(self.failed_before) - len(self.pending)

    def _measure(self, spark: "SparkSession") -> Any:
        """Result rows of pending videos, a table per batch."""
        device = stage_device(spark, self.config.device)
        plan = EvaluationPlan(tuple(self.wanted.items()), self.settings, device)
        items = [
            {"item_id": item.item_id, "metrics": self.asked[item.item_id], "name": item.name, "seconds": item.seconds}
            | {name: getattr(item, name) for name in ("generated", "real", "audio", "portrait")}
            for item in self.pending
        ]
        options = {"weigh": lambda item: item["seconds"], "group": lambda item: item["item_id"], "label": lambda item: item["name"]}
        more = {"on_death": died, "verb": "evaluate", "quiet": self.config.quiet, "device": device, "worker_gib": WORKER_GIB}
        return in_batches(spark, items, partial(evaluate_items, plan), schema=ROWS, **options, **more)

    def _commit(self, batch: Any, counts: dict[str, int]) -> None:
        """Append a batch, failures first; of a video that failed in part, what was measured is kept."""
        at, names = now(), {item.item_id: item for item in self.pending}
        found = batch.to_pylist()
        failures = [
            {
                "entity": names[row["item_id"]].generated or names[row["item_id"]].real,
                "stage": STAGE,
                "fingerprint": self._tried(row["item_id"]),
                "code": row["code"],
                "detail": row["detail"],
                "retryable": row["code"] in RETRYABLE,
                "attempt": self.attempts.get(row["item_id"], 0) + 1,
                "at": at,
                "run_id": self.run_id,
            }
            for row in found
            if row["code"]
        ]
        self.lake.ledger.append("failures", failures)
        written = [
            {name: row[name] for name in ("item_id", "values", "features")} | {"run_id": self.run_id, "measured_at": at}
            for row in found
            if row["values"] or not row["code"]
        ]
        self.lake.ledger.append("evaluated", written)
        for row in written:
            self.measured.add(row, self.wanted)
        counts["written"] += len(found) - len(failures)
        counts["failed"] += len(failures)

    def _grouped(self) -> list[dict[str, Any]]:
        """The rows of `evaluations`."""
        common = {"run_id": self.run_id, "generation_run": self.videos.source, "created_at": now()}
        config = self.config
        made = rows(self.videos.items, self.metrics, self.lacking, self.measured, config.group_by, self.settings, config.bootstrap)
        return [common | row for row in made]

    def _state(self) -> str:
        """What the numbers depend on: the videos, their labels, the metrics, and what could be measured."""
        videos = [(item.item_id, item.name, item.model, sorted(item.labels.items()), sorted(self._asked(item))) for item in self.videos.items]
        return hashlib.sha256(repr((PAGE_VERSION, VERSION, self.videos.source, videos, sorted(self.wanted.items()), sorted(self.lacking))).encode()).hexdigest()

    def _failures(self) -> list[dict[str, Any]]:
        """The newest failure of each video that could not be measured."""
        names = {self._tried(item.item_id): item for item in self.videos.items if self._asked(item)}
        table = self.lake.ledger.read("failures").sort_by("at").to_pylist()
        found = {row["fingerprint"]: row for row in table if row["stage"] == STAGE and row["fingerprint"] in names}
        return [{"name": names[key].name, "code": row["code"], "detail": row["detail"] or ""} for key, row in sorted(found.items())]

    def _tell(self, summary: Summary, told: Sequence[Mapping[str, Any]]) -> None:
        """Random weights first, then the table of all videos, then where the page is."""
        first = [evaluation.random_sentence(self.videos)] if evaluation.random_sentence(self.videos) else []
        summary.results = "\n".join([*first, evaluation.as_text(told), self.out])
        together: dict[str, list[str]] = {}
        for metric in self.metrics:
            if metric.name in self.lacking:
                together.setdefault(", ".join(metric.lacking_weights(self.settings)), []).append(metric.name)
        left_out = "evaluate: {} left out: weights {} are missing (talkvid weights list)"
        summary.notes += first + [left_out.format(", ".join(names), missing) for missing, names in together.items()]
        summary.notes += [f"evaluate: {sentence}" for sentence in self.videos.left_out]
        if self.videos.unmade:
            summary.notes.append(f"evaluate: {self.videos.unmade} videos of {self.videos.source} could not be generated and count nowhere")
        whole = {row["metric"]: row for row in told if row["group_axis"] == "all"}
        summary.extra |= {"random": bool(first), "skipped_metrics": self.lacking, "unmade": self.videos.unmade}
        summary.extra["metrics"] = {name: {key: row[key] for key in ("value", "low", "high", "n", "clips", "reason")} for name, row in whole.items()}


JOB = Job(
    "evaluate",
    "measure generated videos and compare groups",
    arguments,
    configure,
    run,
    idle=idle,
    creates_lake=lambda config: config.generated is not None,
)

if __name__ == "__main__":
    from jobs.cli import main

    main(["evaluate", *sys.argv[1:]])
