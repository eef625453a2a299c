"""The views `curated` and `funnel`: one text for Spark and for DuckDB, over the lake's tables by their names."""

from schemas.active_policy import HOW
from schemas.errors import MissingError
from schemas.policy import Policy
from schemas.policy_sql import Dialect, failed_rules_sql, fate_sql
from schemas.tables import TABLES

VIEWS = ("curated", "funnel")
SEGMENTED = 1
"""Step of all clips; the rules follow it. Step 0 is what was ingested."""


def curated_sql(policy: Policy) -> str:
    """Rows of `clip_metadata` that the policy's verdicts keep, and `policy`, `policy_hash`, `decided_at`."""
    return f"""
        SELECT clip_metadata.*, verdicts.policy, verdicts.policy_hash, verdicts.decided_at
        FROM clip_metadata JOIN verdicts ON verdicts.clip_id = clip_metadata.clip_id
        WHERE verdicts.policy = '{policy.name}' AND verdicts.policy_hash = '{policy.policy_hash}' AND verdicts.kept"""


def funnel_sql(policy: Policy) -> str:
    """What each rule, in order, leaves of the clips.

    `policy, policy_hash, step, rule, expression, clips_in, clips_out, hours_in, hours_out, missing`; step 0 = ingested (hours
    of videos, clips null), 1 = segmented, then the rules. `missing` counts the clips that a rule drops for want of a value.
    Each clip is judged once, by the first rule it fails, and the few groups are summed up (scale.md rule 8).
    """
    steps = [f"({SEGMENTED}, 'segmented', CAST(NULL AS STRING))"]
    steps += [f"({step}, '{rule.name}', '{rule.expression}')" for step, rule in enumerate(policy.rules, SEGMENTED + 1)]
    return f"""
        WITH fates AS (
            SELECT {fate_sql(policy, SEGMENTED + 1)} AS fate, count(*) AS clips, sum(duration_s) / 3600 AS hours
            FROM clip_metadata GROUP BY 1
        ),
        raw AS (SELECT coalesce(sum(duration_s), 0e0) / 3600 AS hours FROM videos),
        steps AS (SELECT * FROM (VALUES {", ".join(steps)}) AS listed(step, rule, expression)),
        sums AS (
            SELECT step, rule, expression,
                CAST(coalesce(sum(CASE WHEN fate = 0 OR abs(fate) >= step THEN clips END), 0) AS BIGINT) AS clips_in,
                CAST(coalesce(sum(CASE WHEN fate = 0 OR abs(fate) > step THEN clips END), 0) AS BIGINT) AS clips_out,
                coalesce(sum(CASE WHEN fate = 0 OR abs(fate) >= step THEN hours END), 0e0) AS hours_in,
                coalesce(sum(CASE WHEN fate = 0 OR abs(fate) > step THEN hours END), 0e0) AS hours_out,
                CAST(coalesce(sum(CASE WHEN fate = -step THEN clips END), 0) AS BIGINT) AS missing
            FROM steps LEFT JOIN fates ON true GROUP BY step, rule, expression
        )
        SELECT '{policy.name}' AS policy, '{policy.policy_hash}' AS policy_hash, step, rule, expression,
            CASE WHEN step > {SEGMENTED} THEN clips_in END AS clips_in, clips_out,
            CASE WHEN step > {SEGMENTED} THEN hours_in ELSE raw.hours END AS hours_in, hours_out, missing
        FROM sums CROSS JOIN raw
        UNION ALL
        SELECT '{policy.name}', '{policy.policy_hash}', 0, 'ingested', CAST(NULL AS STRING), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT),
            raw.hours, raw.hours, CAST(0 AS BIGINT)
        FROM raw
        ORDER BY step"""


def verdicts_sql(policy: Policy, dialect: Dialect, decided_at: str) -> str:
    """A row of `verdicts` for every clip; `decided_at` is a time in ISO 8601."""
    failed = failed_rules_sql(policy, dialect)
    size = "size" if dialect == "spark" else "len"
    return f"""
        SELECT clip_id, '{policy.name}' AS policy, '{policy.policy_hash}' AS policy_hash, {size}(failed_rules) = 0 AS kept, failed_rules,
            TIMESTAMP{"TZ" if dialect == "duckdb" else ""} '{decided_at}' AS decided_at
        FROM (SELECT clip_id, {failed} AS failed_rules FROM clip_metadata)"""


def missing_relation(name: str) -> MissingError:
    """What to say of a table or view that a query asked for and that is not there."""
    if name.lower() in VIEWS:
        return MissingError(f"the view {name} is not there: {HOW}")
    return MissingError(f"there is no table or view {name}; there are: {', '.join([*TABLES, *VIEWS])}")
