"""`evaluations`: what generated videos are worth, by metric and group."""

import pyarrow as pa

from schemas.table import UTC_TIME, Table, column

TABLE = Table(
    name="evaluations",
    comment="One row per run of evaluate, metric and group: a value with its interval, or the reason why there is none. History, append only.",
    key=("run_id", "metric", "group_axis", "group_value"),
    schema=pa.schema(
        [
            column("run_id", pa.string(), "run that evaluated", nullable=False),
            column("generation_run", pa.string(), "run of generate, or the folder, whose videos they are"),
            column("metric", pa.string(), "metric", source="inference/metrics/catalogue.py", nullable=False),
            column("group_axis", pa.string(), "what the videos are grouped by", range_="all, language, age_group, gender, ethnicity", nullable=False),
            column(
                "group_value",
                pa.string(),
                "group, the benchmark's where a label means one; `all` for the axis `all`, `not stated` without a label",
                nullable=False,
            ),
            column("value", pa.float64(), "mean over videos, or the distance of the two sets; null where there is none"),
            column("low", pa.float64(), "lower end of the 95 % bootstrap interval over videos"),
            column("high", pa.float64(), "upper end of the same"),
            column("n", pa.int32(), "videos that have a value, or give features to the set", nullable=False),
            column("clips", pa.int32(), "videos of the group", nullable=False),
            column("convention", pa.string(), "which of the published variants it is, and on what it was measured", source="metrics.md"),
            column("reason", pa.string(), "why there is no value"),
            column("fingerprint", pa.string(), "metric's version, parameters, networks, and the model's; `random:` when a model's weights are random"),
            column("created_at", UTC_TIME, "when"),
        ]
    ),
)
