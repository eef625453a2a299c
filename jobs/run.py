"""`talkvid run`: ingest, segment, score, filter, export and report in one go."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from jobs.arguments import assignments, verb_parser
from jobs.cli import Sessions, execute
from jobs.job import Job
from jobs.summary import Summary
from schemas.lake import Lake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DEFAULT_POLICY = "lite"
FAILING = ("ingest", "segment", "score", "export")
"""Steps whose failed inputs the whole line counts."""


@dataclass(frozen=True)
class RunConfig:
    """What goes in, by which policy, and where the kept clips go. `shared` are command-line words that every step takes."""

    sources: tuple[str, ...]
    policy: str = DEFAULT_POLICY
    export: str | None = None
    report: str | None = None
    ingest_words: tuple[str, ...] = ()
    segment_words: tuple[str, ...] = ()
    score_words: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    master: str | None = None
    conf: tuple[tuple[str, str], ...] = ()


def arguments(parser: ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("source", nargs="+", metavar="SOURCE", help="folder, glob, list or manifest, as for ingest")
    parser.add_argument("--policy", metavar="P", default=DEFAULT_POLICY, help="policy by name or file")
    parser.add_argument("--export", metavar="OUT", help="also cut the kept clips into this folder")
    parser.add_argument("--format", metavar="F", help="kind of the sources, as for ingest")
    parser.add_argument("--labels", metavar="CSV", help="labels by uri or video_id, as for ingest")
    parser.add_argument("--preset", metavar="P", help="segmentation preset, as for segment")
    parser.add_argument("--scorers", metavar="A,B", help="names of scorers, as for score")
    parser.add_argument("--set", metavar="SCORER.FIELD=VALUE", action="append", default=[], help="setting of a scorer, as for score")
    parser.add_argument("--cascade", metavar="P", help="spare clips that already fail this policy the expensive scorers, as for score")
    parser.add_argument("--dtype", metavar="D", help="float32 or bfloat16, as for score")
    parser.add_argument("--device", metavar="D", help="auto, cpu or cuda, as for segment and score")


def configure(args: Namespace) -> RunConfig:
    """The configuration of a command line."""
    device = _words(device=args.device)
    return RunConfig(
        sources=tuple(args.source),
        policy=args.policy,
        export=args.export,
        ingest_words=_words(format=args.format, labels=args.labels, limit=args.limit),
        segment_words=_words(preset=args.preset) + device,
        score_words=_words(scorers=args.scorers, cascade=args.cascade, dtype=args.dtype) + tuple(f"--set={word}" for word in args.set) + device,
        shared=("--lake", args.lake, *(["--quiet"] if args.quiet else [])),
        master=args.master,
        conf=tuple(assignments(args.conf, "--conf").items()),
    )


def _words(**flags: Any) -> tuple[str, ...]:
    return tuple(word for name, value in flags.items() if value is not None for word in (f"--{name}", str(value)))


def steps(config: RunConfig) -> list[tuple[Job, Any]]:
    """The jobs of the line with their configurations, in order. Raises `UsageError` before the first one runs."""
    words = [
        ("ingest", [*config.sources, *config.ingest_words]),
        ("segment", list(config.segment_words)),
        ("score", list(config.score_words)),
        ("filter", ["--policy", config.policy, "--save"]),
        *([("export", [config.export])] if config.export else []),
        ("report", [config.report] if config.report else []),
    ]
    return [configured(verb, [*own, *config.shared]) for verb, own in words]


def configured(verb: str, words: Sequence[str]) -> tuple[Job, Any]:
    """A verb's job, and its configuration for these command-line words."""
    job: Job = import_module(f"jobs.{verb}").JOB
    return job, job.configure(verb_parser(job).parse_args(list(words)))


def check(lake: Lake, config: RunConfig) -> None:
    """What ingest asks of its sources, before a lake is made for them."""
    ingest, of_ingest = steps(config)[0]
    ingest.check(lake, of_ingest)


def run_line(lake: Lake, line: Sequence[tuple[Job, Any]], sessions: Sessions) -> dict[str, Summary]:
    """Run jobs one after the other under the caller's lease; each tells its sums on stderr."""
    summaries = {}
    for job, config in line:
        summary = execute(job, lake, config, sessions)
        print(summary.line(), file=sys.stderr, flush=True)
        summaries[job.verb] = summary
    return summaries


def whole(verb: str, summaries: dict[str, Summary]) -> Summary:
    """One summary of a whole line: what went in, what the policy keeps, all that failed."""
    counts = {
        "in": summaries["ingest"].counts["in"],
        "kept": summaries["filter"].counts["kept"],
        "rejected": summaries["filter"].counts["rejected"],
        "failed": sum(summaries[name].counts["failed"] for name in FAILING if name in summaries),
    }
    summary = Summary(verb, counts, fingerprint=summaries["filter"].fingerprint)
    summary.outputs = [output for step in summaries.values() for output in step.outputs]
    summary.extra["steps"] = {name: step.counts for name, step in summaries.items()}
    summary.extra["skipped_scorers"] = summaries["score"].extra.get("skipped_scorers", {})
    return summary


def run(spark: "SparkSession | None", lake: Lake, config: RunConfig) -> Summary:
    """ingest → segment → score → filter → export → report."""
    with Sessions(config.master, dict(config.conf)) as sessions:
        return whole("run", run_line(lake, steps(config), sessions))


JOB = Job(
    "run",
    "ingest, segment, score, filter, export and report in one go",
    arguments,
    configure,
    run,
    check=check,
    needs_spark=lambda config: False,
    creates_lake=lambda config: True,
)

if __name__ == "__main__":
    from jobs.cli import main

    main(["run", *sys.argv[1:]])
