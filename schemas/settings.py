"""`settings`: what is active in this lake, by key; the newest row of a key counts."""

import pyarrow as pa

from schemas.table import UTC_TIME, Table, column

TABLE = Table(
    name="settings",
    comment="Active policy, active preset and other lake-wide choices: history, append only.",
    key=("key", "set_at"),
    schema=pa.schema(
        [
            column("key", pa.string(), "setting", range_="active_policy, active_preset, …", nullable=False),
            column("value", pa.string(), "value; JSON for the active policy"),
            column("set_at", UTC_TIME, "when", nullable=False),
        ]
    ),
)
