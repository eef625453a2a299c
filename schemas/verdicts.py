"""`verdicts`: what a policy says of each clip."""

import pyarrow as pa

from schemas.table import UTC_TIME, Table, column

TABLE = Table(
    name="verdicts",
    comment="One row per clip, policy and policy hash.",
    key=("clip_id", "policy", "policy_hash"),
    schema=pa.schema(
        [
            column("clip_id", pa.string(), "clip", nullable=False),
            column("policy", pa.string(), "policy's name", nullable=False),
            column("policy_hash", pa.string(), "hash of its rules and thresholds", nullable=False),
            column("kept", pa.bool_(), "true when no rule failed", nullable=False),
            column("failed_rules", pa.list_(pa.string()), "names of all failed rules; `<rule>:missing` where the value was null", nullable=False),
            column("decided_at", UTC_TIME, "when"),
        ]
    ),
    checks={"kept_means_none_failed": "CASE WHEN kept THEN cardinality(failed_rules) = 0 ELSE cardinality(failed_rules) > 0 END"},
)
