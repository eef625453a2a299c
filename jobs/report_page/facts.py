"""What the report tells, asked of the lake: sums, the funnel, failures, runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from schemas.codes import CODES
from schemas.policy import Policy
from schemas.policy_sql import failed_rules_sql, fate_sql, keeps_sql
from schemas.views import SEGMENTED

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FIRST_RULE = SEGMENTED + 1
"""Step of the policy's first rule in the funnel."""
EXAMPLES = 3
RUNS = 20


@dataclass(frozen=True)
class Totals:
    """Sums over the lake; hours of media."""

    videos: int
    video_hours: float
    clips: int
    clip_hours: float
    kept: int
    kept_hours: float
    speakers: int
    languages: int
    scored: int


@dataclass(frozen=True)
class Step:
    """One step of the funnel, with the reason that the policy gives for it."""

    rule: str
    expression: str
    why: str
    clips_in: int | None
    clips_out: int | None
    hours_out: float
    missing: int

    @property
    def dropped(self) -> int | None:
        """Clips that this step takes out."""
        return None if self.clips_in is None or self.clips_out is None else self.clips_in - self.clips_out


@dataclass(frozen=True)
class FailureKind:
    """All failures of one code at one stage; `examples` are (what failed, sentence)."""

    code: str
    stage: str
    meaning: str
    count: int
    retryable: bool
    examples: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Run:
    """One run of a writing verb."""

    verb: str
    finished: datetime
    seconds: float
    counts: Mapping[str, int]
    complete: bool


def judge(engine: "DuckDBPyConnection", policy: Policy) -> None:
    """Make the view `judged`: `clip_metadata` with `kept`, `failed` (names of all failed rules) and `fate` (step of the first)."""
    engine.execute(
        f"CREATE TEMP VIEW judged AS SELECT *, {keeps_sql(policy)} AS kept, {failed_rules_sql(policy, 'duckdb')} AS failed, "
        f"abs({fate_sql(policy, FIRST_RULE)}) AS fate FROM clip_metadata"
    )


def totals(engine: "DuckDBPyConnection") -> Totals:
    """Sums over videos and judged clips."""
    videos = _rows(engine, "SELECT count(*) AS videos, coalesce(sum(duration_s), 0) / 3600 AS video_hours FROM videos")
    clips = _rows(
        engine,
        "SELECT count(*) AS clips, coalesce(sum(duration_s), 0) / 3600 AS clip_hours, count(*) FILTER (kept) AS kept, "
        "coalesce(sum(duration_s) FILTER (kept), 0) / 3600 AS kept_hours, count(DISTINCT speaker_id) AS speakers, "
        "count(DISTINCT language) AS languages, count(scored_at) AS scored FROM judged",
    )
    return Totals(**videos[0], **clips[0])


def steps(engine: "DuckDBPyConnection", policy: Policy) -> list[Step]:
    """The funnel, in order."""
    why = {rule.name: rule.why for rule in policy.rules}
    rows = _rows(engine, "SELECT rule, expression, clips_in, clips_out, hours_out, missing FROM funnel ORDER BY step")
    return [Step(why=why.get(row["rule"], ""), **(row | {"expression": row["expression"] or ""})) for row in rows]


def ingested(engine: "DuckDBPyConnection") -> dict[str, int]:
    """Addresses that `ingest` looked at, by what became of them."""
    rows = _rows(engine, "SELECT outcome, count(*) AS found FROM sources GROUP BY outcome ORDER BY found DESC, outcome")
    return {row["outcome"]: row["found"] for row in rows}


def without_clips(engine: "DuckDBPyConnection") -> dict[str, int]:
    """Videos that gave no clips, by the reason; the newest segmentation of each video and preset counts."""
    rows = _rows(
        engine,
        "SELECT coalesce(reason, 'not stated') AS reason, count(*) AS videos FROM "
        "(SELECT arg_max(outcome, segmented_at) AS outcome, arg_max(reason, segmented_at) AS reason FROM segmentations GROUP BY video_id, preset) "
        "WHERE outcome = 'without_clips' GROUP BY 1 ORDER BY videos DESC, 1",
    )
    return {row["reason"]: row["videos"] for row in rows}


def failures(engine: "DuckDBPyConnection") -> list[FailureKind]:
    """Failures by code and stage, most first; each entity counts once."""
    rows = _rows(
        engine,
        f"""
        WITH newest AS (
            SELECT entity, stage, code, arg_max(detail, "at") AS detail, bool_or(retryable) AS retryable FROM failures GROUP BY entity, stage, code)
        SELECT code, stage, count(*) AS count, bool_or(retryable) AS retryable,
            list({{'entity': entity, 'detail': detail}} ORDER BY entity)[1:{EXAMPLES}] AS examples
        FROM newest GROUP BY code, stage ORDER BY count DESC, code, stage""",
    )
    return [
        FailureKind(
            row["code"],
            row["stage"],
            CODES.get(row["code"], ""),
            row["count"],
            bool(row["retryable"]),
            [(example["entity"], example["detail"] or "") for example in row["examples"]],
        )
        for row in rows
    ]


def runs(engine: "DuckDBPyConnection") -> list[Run]:
    """The newest runs that ended, newest first."""
    rows = _rows(engine, f"SELECT verb, started, finished, counts, complete FROM runs WHERE finished IS NOT NULL ORDER BY finished DESC LIMIT {RUNS}")
    return [
        Run(row["verb"], row["finished"], (row["finished"] - row["started"]).total_seconds(), dict(row["counts"] or {}), bool(row["complete"])) for row in rows
    ]


def _rows(engine: "DuckDBPyConnection", query: str) -> list[dict[str, Any]]:
    return engine.sql(query).to_arrow_table().to_pylist()
