"""`talkvid filter`: what a policy keeps, rule by rule; with `--save` its verdicts, and it becomes the active policy."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from jobs import history, metadata, text_table
from jobs.arguments import assignments
from jobs.job import Job
from jobs.summary import Summary, check_sum
from schemas import duck
from schemas.active_policy import make_active
from schemas.lake import Lake
from schemas.ledger import now
from schemas.policy import Policy
from schemas.policy_files import load
from schemas.views import verdicts_sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyspark.sql import SparkSession

INPUTS = ("clip_metadata",)
"""Tables whose growth means new verdicts."""
ROWS_AT_ONCE = 65536


@dataclass(frozen=True)
class FilterConfig:
    """The policy with its thresholds as set, and whether verdicts are written."""

    policy: Policy
    save: bool = False


@dataclass(frozen=True)
class FunnelStep:
    """A row of the view `funnel`."""

    policy: str
    policy_hash: str
    step: int
    rule: str
    expression: str | None
    clips_in: int | None
    clips_out: int | None
    hours_in: float
    hours_out: float
    missing: int


def arguments(parser: ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("--policy", metavar="NAME|FILE", required=True, help="policy by name (talkvid, talkvid_paper, lite) or YAML file")
    parser.add_argument("--set", metavar="RULE=VALUE", action="append", default=[], help="another threshold; a column works too where one rule uses it")
    parser.add_argument("--save", action="store_true", help="write verdicts and make the policy active")


def configure(args: Namespace) -> FilterConfig:
    """The configuration of a command line."""
    return FilterConfig(load(args.policy).with_set(assignments(args.set, "--set")), args.save)


def run(spark: "SparkSession | None", lake: Lake, config: FilterConfig) -> Summary:
    """clip_metadata → judge by the policy → funnel, and verdicts with `--save`."""
    policy, behind = config.policy, 0
    if config.save:
        metadata.refresh(lake)
    else:
        behind = metadata.behind(lake)
    engine = duck.connect(lake.ledger, policy)
    steps = funnel(engine)
    random, missing = _of_scores(engine, policy)
    summary = Summary("filter", _counts(steps), fingerprint=policy.policy_hash, results="\n".join([*random, funnel_text(steps)]))
    summary.extra = {"policy": policy.name, "policy_hash": policy.policy_hash, "saved": config.save, "funnel": [asdict(step) for step in steps]}
    summary.notes = random + missing
    if behind:
        summary.notes.append(f"filter: {behind} scored clips are not in clip_metadata yet and count as they stood before; --save brings them in")
    if config.save:
        save(engine, lake, config, summary)
    check_sum("filter", "clips", ("kept", "rejected"), summary.counts)
    return summary


def _counts(steps: Sequence[FunnelStep]) -> dict[str, int]:
    clips = steps[1].clips_out or 0
    rejected = sum((step.clips_in or 0) - (step.clips_out or 0) for step in steps[2:])
    return {"in": clips, "clips": clips, "kept": steps[-1].clips_out or 0, "rejected": rejected}


def _of_scores(engine: "DuckDBPyConnection", policy: Policy) -> tuple[list[str], list[str]]:
    """Sentences about the scores that the policy looks at: those from random weights, and those that are not there."""
    scorers = list(dict.fromkeys(rule.scorer for rule in policy.rules if rule.scorer))
    random = [f"count(*) FILTER (starts_with({scorer}.fingerprint, 'random:'))" for scorer in scorers]
    missing = [f"count(*) FILTER ({scorer} IS NULL)" for scorer in scorers]
    clips, *counted = engine.execute(f"SELECT {', '.join(['count(*)', *random, *missing])} FROM clip_metadata").fetchall()[0]
    of_random, of_missing = dict(zip(scorers, counted)), dict(zip(scorers, counted[len(scorers) :]))
    return (
        [f"RANDOM WEIGHTS: {scorer} scores of {count} of {clips} clips mean nothing" for scorer, count in of_random.items() if count],
        [
            f"filter: {count} of {clips} clips have no {scorer} scores and are dropped for it; score them with: talkvid score"
            for scorer, count in of_missing.items()
            if count
        ],
    )


def funnel(engine: "DuckDBPyConnection") -> list[FunnelStep]:
    """The rows of the view, in order."""
    return [FunnelStep(**row) for row in engine.sql("SELECT * FROM funnel").to_arrow_table().to_pylist()]


def save(engine: "DuckDBPyConnection", lake: Lake, config: FilterConfig, summary: Summary) -> None:
    """Write the verdicts unless they are there, make the policy the active one, and set the counts to what was written."""
    policy, started = config.policy, now()
    fingerprints = {"policy": policy.policy_hash}
    idle = history.idle_summary(lake, "filter", config, summary.counts | {"in": 0}, fingerprints=fingerprints)
    if idle is not None:
        make_active(lake.ledger, policy)
        summary.counts = idle.counts
        summary.notes += idle.notes
        return
    summary.counts |= _write_verdicts(engine, lake, policy, started.isoformat())
    make_active(lake.ledger, policy)
    history.record(lake, summary, config, run_id=history.new_run_id("filter"), started=started, depends_on=INPUTS, fingerprints=fingerprints)


def _write_verdicts(engine: "DuckDBPyConnection", lake: Lake, policy: Policy, decided_at: str) -> dict[str, int]:
    """Put the policy's verdicts in the place of its earlier ones, batch by batch; returns how many were kept and rejected."""
    rows = engine.sql(verdicts_sql(policy, "duckdb", decided_at)).to_arrow_reader(ROWS_AT_ONCE)
    kept = [0]

    def counted() -> Iterator[pa.RecordBatch]:
        for batch in rows:
            kept[0] += batch["kept"].true_count
            yield batch

    reader = pa.RecordBatchReader.from_batches(rows.schema, counted())
    written = lake.ledger.overwrite("verdicts", reader, f"policy = '{policy.name}' AND policy_hash = '{policy.policy_hash}'")
    return {"kept": kept[0], "rejected": written - kept[0]}


def funnel_text(steps: Sequence[FunnelStep]) -> str:
    """The funnel as people read it: how many clips and hours come out of each step, and what it drops."""
    rows = [
        (
            step.rule,
            step.expression or "",
            _count(step.clips_out),
            _share(step.clips_out, step.clips_in),
            f"{step.hours_out:,.2f}",
            _count(None if step.clips_in is None else (step.clips_in - (step.clips_out or 0))),
            _count(step.missing) if step.missing else "",
        )
        for step in steps
    ]
    return text_table.table(("rule", "keeps", "clips", "of these", "hours", "drops", "no value"), rows, (False, False, *[True] * 5))


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _share(part: int | None, whole: int | None) -> str:
    return f"{100 * part / whole:.1f} %" if part is not None and whole else ""


JOB = Job(
    "filter",
    "show what a policy keeps; --save makes it active",
    arguments,
    configure,
    run,
    check=lambda lake, config: lake.place.require(),
    needs_spark=lambda config: False,
    takes_lease=lambda config: config.save,
    limit="",
)

if __name__ == "__main__":
    from jobs.cli import main

    main(["filter", *sys.argv[1:]])
