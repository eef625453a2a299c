"""Which clips still lack which scores: a filter on `clip_metadata` and on `failures`, without Spark (scale.md rule 2)."""

from collections.abc import Mapping
from typing import Any

from schemas.lake import Lake
from schemas.policy_sql import passes_sql
from schemas.scores import SHOWN
from schemas.snapshot import snapshot
from schemas.videos import REGISTERED
from udfs.cascade import Cascade

_HEADS = """
        LEFT JOIN (SELECT clip_id, arg_max(head, scored_at) FILTER (head IS NOT NULL) AS head FROM scores GROUP BY clip_id) h ON h.clip_id = m.clip_id"""
CLIP_COLUMNS = ("clip_id", "video_id", "uri", "start_s", "end_s", "crop", "width", "height", "fps", "has_audio")


def pending_clips(
    lake: Lake, fingerprints: dict[str, str], *, retry_failed: bool, limit: int | None = None, cascade: Cascade | None = None, with_head: bool = False
) -> list[dict[str, Any]]:
    """Clips for which a scorer's fingerprint differs from the wanted one, each with `scorers`, the names that are pending,
    `registered`, which file it is a span of, and `attempts`, how often each of them failed before. Those that failed with that
    very fingerprint are left out unless `retry_failed`. Ordered by video and start.

    With a `cascade` each has `known`, what the policy asks of it and is measured already, and a scorer is not pending for a
    clip that was spared it before by the same rules and still fails one, by a measurement that this run does not renew.
    `with_head` puts the newest whole head score into `known`.
    """
    engine = snapshot(lake.ledger, ("clip_metadata", "failures", "videos", "sources", "scores"))
    wanted = ", ".join(f"('score:{_known(name)}', ${name})" for name in fingerprints)
    failed_once = "false" if retry_failed else "clip_id IN (SELECT clip_id FROM failed WHERE scorer = '{name}')"
    renewed = {name: f"{_stale(name)} AND NOT {failed_once.format(name=name)}" for name in fingerprints}
    stale = " UNION ALL ".join(
        f"SELECT clip_id, '{name}' AS scorer FROM clip_metadata WHERE {_stale(name)} {_not_spared(cascade, name, renewed)}" for name in fingerprints
    )
    excluded = "" if retry_failed else "WHERE attempts IS NULL"
    query = f"""
        WITH failed AS (
            SELECT entity AS clip_id, substr(stage, 7) AS scorer, max(attempt) AS attempts FROM failures
            WHERE (stage, fingerprint) IN ({wanted}) GROUP BY ALL),
        {_spared(cascade)}
        stale AS ({stale}),
        pending AS (
            SELECT clip_id, list(scorer ORDER BY scorer) AS scorers, list(coalesce(attempts, 0) ORDER BY scorer) AS attempts
            FROM stale LEFT JOIN failed USING (clip_id, scorer) {excluded} GROUP BY clip_id)
        SELECT {", ".join(f"m.{name}" for name in CLIP_COLUMNS)}, v.audio_uri, r.registered, scorers, attempts, {_asked_of(cascade, with_head)} AS known
        FROM pending JOIN clip_metadata m USING (clip_id) JOIN videos v ON v.video_id = m.video_id
        LEFT JOIN {REGISTERED} r ON r.video_id = m.video_id {_HEADS if with_head else ""}
        ORDER BY m.video_id, m.start_s, m.clip_id {f"LIMIT {int(limit)}" if limit is not None else ""}"""
    return engine.sql(query, params=fingerprints).to_arrow_table().to_pylist()


def _known(name: str) -> str:
    if name not in SHOWN:
        raise ValueError(f"{name} is no scorer")
    return name


def _asked_of(cascade: Cascade | None, with_head: bool) -> str:
    """SQL for `known`: the columns of `clip_metadata` that the policy's rules look at, and the head as it was scored."""
    rules = cascade.policy.rules if cascade is not None else ()
    columns = {name: f"m.{name}" for name in sorted({rule.column.partition(".")[0] for rule in rules})}
    columns |= {"head": "h.head"} if with_head else {}
    return f"struct_pack({', '.join(f'{name} := {value}' for name, value in columns.items())})" if columns else "NULL"


def _stale(scorer: str) -> str:
    """SQL: a clip's score is not by the wanted fingerprint."""
    return f"{scorer}.fingerprint IS DISTINCT FROM ${scorer}"


def _spared(cascade: Cascade | None) -> str:
    """SQL for `spared`: clips that this very policy has spared a scorer."""
    if cascade is None:
        return ""
    return f"spared AS MATERIALIZED (SELECT DISTINCT clip_id FROM scores WHERE starts_with(skipped_by, '{cascade.mark('')}')),"


def _not_spared(cascade: Cascade | None, scorer: str, renewed: Mapping[str, str]) -> str:
    """SQL that leaves out clips which were spared the scorer and would be again: they fail a rule by a value that stays.

    `renewed`: by scorer of this run, the condition that it measures a clip anew.
    """
    if cascade is None or cascade.rank(scorer) == 0:
        return ""
    fails = []
    for measured in (None, *sorted(cascade.before(scorer))):
        rules = [f"NOT {passes_sql(rule)}" for rule in cascade.policy.rules if rule.scorer == measured]
        there = f"{measured} IS NOT NULL AND NOT ({renewed.get(measured, 'false')}) AND " if measured else ""
        fails += [f"{there}({' OR '.join(rules)})"] if rules else []
    return f"AND NOT (clip_id IN (SELECT clip_id FROM spared) AND ({' OR '.join(fails) or 'false'}))"
