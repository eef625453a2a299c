"""`talkvid score`: measures the clips that lack a wanted score."""

import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jobs import metadata
from jobs.arguments import assignments
from jobs.batches import in_batches
from jobs.devices import layout, stage_device
from jobs.history import idle_summary, new_run_id, record
from jobs.job import Job
from jobs.pending import pending_clips
from jobs.score_work import work_s
from jobs.summary import Summary, check_sum
from schemas.codes import RETRYABLE
from schemas.errors import UsageError
from schemas.lake import Lake
from schemas.ledger import now
from schemas.policy import Policy
from schemas.policy_files import load
from schemas.scores import STORED
from udfs.cascade import Cascade
from udfs.registry import available_scorers, build, lacking_weights, made
from udfs.score_worker import ROWS, ScoringPlan, died, score_items
from udfs.scorer import Scorer
from udfs.scorer_settings import configs_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DEPENDS_ON = ("clips", "videos", "scores")
LIGHT = frozenset({"technical", "flow", "head"})
"""Scorers whose worker stays below `WORKER_GIB`; with any other one it stays below `WORKER_WITH_NETWORKS_GIB`."""
WORKER_GIB, WORKER_WITH_NETWORKS_GIB = 1.0, 3.0


@dataclass(frozen=True)
class ScoreConfig:
    """What to measure and how. `scorers` empty: all whose weights are there. A batch ends after `commit_every_s` seconds of work,
    or after `commit_every_items` clips. `settings`: pairs of `SCORER.FIELD` and its value, where that is not the default."""

    scorers: tuple[str, ...] = ()
    cascade: Policy | None = None
    commit_every_s: float = 60.0
    commit_every_items: int | None = None
    retry_failed: bool = False
    device: str = "auto"
    dtype: str = "float32"
    limit: int | None = None
    quiet: bool = False
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def configs(self) -> dict[str, Any]:
        """By scorer its configuration, where it is not the default. Raises `UsageError` for settings that mean nothing."""
        return configs_of(dict(self.settings))


def arguments(parser: ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("--scorers", metavar="A,B", help="names of scorers; all whose weights are there when not given")
    parser.add_argument("--set", metavar="SCORER.FIELD=VALUE", action="append", default=[], help="setting of a scorer, such as cotracker.points_per_side=32")
    parser.add_argument("--cascade", metavar="POLICY", help="spare clips that already fail this policy the expensive scorers")
    parser.add_argument("--commit-every", metavar="60s|N", default="60s", help="commit after so many seconds of work, or so many clips")
    parser.add_argument("--retry-failed", action="store_true", help="try clips again that failed before")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where networks run")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help="bfloat16: DOVER and CoTracker3 faster on a GPU, and a little off")


def configure(args: Namespace) -> ScoreConfig:
    """The configuration of a command line. Raises `UsageError` for words that mean nothing."""
    seconds, items = _commit_every(args.commit_every)
    names = tuple(dict.fromkeys(name.strip() for name in (args.scorers or "").split(",") if name.strip()))
    cascade = load(args.cascade) if args.cascade else None
    if cascade is not None and not cascade.cascade:
        raise UsageError(f"--cascade {args.cascade}: the policy names no order of scorers; add for example cascade: [[technical, flow], [head]]")
    settings = assignments(args.set, "--set")
    configs = configs_of(settings)
    scorers = {name: made(name, configs) for name in (*names, *configs)}
    unasked = sorted(set(configs).difference(names, *(scorers[name].needs for name in names)))
    if names and unasked:
        raise UsageError(f"--set {unasked[0]}.…: {unasked[0]} is not among --scorers {args.scorers}")
    return ScoreConfig(names, cascade, seconds, items, args.retry_failed, args.device, args.dtype, args.limit, args.quiet, tuple(sorted(settings.items())))


def _commit_every(text: str) -> tuple[float, int | None]:
    """Seconds and clips of `60s` or `256`."""
    number = text.removesuffix("s")
    if not number.isdigit() or int(number) == 0:
        raise UsageError(f"--commit-every takes seconds as 60s or a number of clips as 256, not {text!r}")
    return (float(number), None) if text.endswith("s") else (float("inf"), int(number))


def wanted_scorers(config: ScoreConfig) -> tuple[list[Scorer], dict[str, str]]:
    """The scorers that shall run (with `head` for those that need it), and the reason by name of each that is skipped for want of weights.

    Raises `MissingError` when a scorer that was named has no weights.
    """
    if config.scorers:
        scorers = build(config.scorers, config.configs)
        return (scorers if not _needs_head(scorers) else build([*config.scorers, "head"], config.configs)), {}
    names, skipped = available_scorers(config.configs)
    return build(names, config.configs), skipped


def _needs_head(scorers: list[Scorer]) -> bool:
    return any("head" in scorer.needs for scorer in scorers)


def left_out(name: str, config: ScoreConfig) -> str:
    """The line about a scorer that is skipped for want of weights; `weights list` tells the rest."""
    lacking = ", ".join(lacking_weights(name, config.configs))
    return f"score: {name} is left out: weights {lacking} are missing (talkvid weights list)"


def idle(lake: Lake, config: ScoreConfig) -> Summary | None:
    """A summary when every clip has its wanted scores, by the last complete run."""
    if config.retry_failed:
        return None
    scorers, skipped = wanted_scorers(config)
    nothing = {"in": 0, "pending": 0, "scored": 0, "failed": 0}
    summary = idle_summary(lake, "score", config, nothing, fingerprints=dict(ScoringPlan.of(scorers).fingerprints))
    if summary is not None:
        summary.extra["skipped_scorers"] = skipped
    return summary


def run(spark: "SparkSession | None", lake: Lake, config: ScoreConfig) -> Summary:
    """read pending clips → score → append scores and failures."""
    started, run_id = now(), new_run_id("score")
    scorers, skipped = wanted_scorers(config)
    cascade = Cascade(config.cascade) if config.cascade else None
    assert spark is not None
    plan = ScoringPlan.of(scorers, stage_device(spark, config.device), cascade, config.dtype)
    plan = replace(plan, decoders=max(plan.decoders, layout(spark, plan.device).cores))
    fingerprints = dict(plan.fingerprints)
    for name in skipped:
        print(left_out(name, config), file=sys.stderr)
    metadata.refresh(lake)
    options = {"retry_failed": config.retry_failed, "limit": config.limit, "cascade": cascade, "with_head": _needs_head(scorers)}
    clips = pending_clips(lake, fingerprints, **options)
    counts = {"in": len(clips), "pending": len(clips), "scored": 0, "failed": 0}
    extra: dict[str, object] = {"skipped_scorers": skipped}
    if clips:
        attempts = {(clip["clip_id"], f"score:{name}"): count for clip in clips for name, count in zip(clip["scorers"], clip["attempts"])}
        asked = Counter(name for clip in clips for name in clip["scorers"])
        answered: Counter[str] = Counter()
        for rows in _scored(spark, clips, plan, config):
            _commit(lake, rows, run_id, attempts, counts)
            answered.update(_answered(rows))
        if cascade is not None:
            spared = asked - answered
            for name in spared:
                print(f"score: cascade {cascade.policy.name} spared {name} {spared[name]} of {asked[name]} clips", file=sys.stderr)
            extra["spared"] = dict(spared)
    metadata.refresh(lake)
    lake.ledger.compact("scores")
    metadata.keep_state(lake)
    check_sum("score", "pending", ("scored", "failed"), counts)
    summary = Summary("score", counts, fingerprint=",".join(fingerprints.values()), extra=extra, complete=config.limit is None)
    record(lake, summary, config, run_id=run_id, started=started, depends_on=DEPENDS_ON, fingerprints=fingerprints)
    return summary


def _scored(spark: "SparkSession", clips: list[dict[str, Any]], plan: ScoringPlan, config: ScoreConfig) -> Any:
    """Result rows of all clips, a table per batch."""
    return in_batches(
        spark,
        clips,
        partial(score_items, plan),
        schema=ROWS,
        weigh=partial(work_s, plan=plan),
        group=lambda clip: clip["video_id"],
        on_death=partial(died, plan),
        verb="score",
        label=lambda clip: clip["clip_id"],
        commit_every_s=config.commit_every_s,
        commit_every_items=config.commit_every_items,
        quiet=config.quiet,
        device=plan.device,
        worker_gib=WORKER_GIB if set(dict(plan.fingerprints)) <= LIGHT else WORKER_WITH_NETWORKS_GIB,
    )


def _commit(lake: Lake, rows: pa.Table, run_id: str, attempts: dict[tuple[str, str], int], counts: dict[str, int]) -> None:
    """Append a batch, failures first: a run killed in between does not try them again, and scores what is missing."""
    at = now()
    failures = [
        {
            "entity": clip["clip_id"],
            "attempt": attempts.get((clip["clip_id"], failure["stage"]), 0) + 1,
            "retryable": failure["code"] in RETRYABLE,
            "at": at,
            "run_id": run_id,
            **failure,
        }
        for clip in rows.select(["clip_id", "failures"]).to_pylist()
        for failure in clip["failures"]
    ]
    lake.ledger.append("failures", failures)
    scores = rows.filter(_any_struct(rows)).drop_columns("failures")
    scores = scores.append_column("run_id", pa.repeat(pa.scalar(run_id), scores.num_rows))
    lake.ledger.append_arrow("scores", scores.append_column("scored_at", pa.repeat(pa.scalar(at, pa.timestamp("us", tz="UTC")), scores.num_rows)))
    failed = len({failure["entity"] for failure in failures})
    counts["failed"] += failed
    counts["scored"] += rows.num_rows - failed


def _answered(rows: pa.Table) -> Counter[str]:
    """Clips by scorer that gave values or failed."""
    found = Counter({name: rows.num_rows - rows[name].null_count for name in STORED})
    found.update(failure["stage"].partition(":")[2] for failures in rows["failures"].to_pylist() for failure in failures)
    return found


def _any_struct(rows: pa.Table) -> pa.Array:
    """True where at least one scorer gave values, or a cascade spared one."""
    import pyarrow.compute as pc

    present = pc.is_valid(rows["skipped_by"])
    for name in STORED:
        present = pc.or_(present, pc.is_valid(rows[name]))
    return present


JOB = Job("score", "measure the clips that lack a wanted score", arguments, configure, run, idle=idle)

if __name__ == "__main__":
    from jobs.cli import main

    main(["score", *sys.argv[1:]])
