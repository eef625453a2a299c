"""`exports`: which file of which export holds which clip: what `remove` has to rewrite."""

import pyarrow as pa

from schemas.table import UTC_TIME, Table, column

TABLE = Table(
    name="exports",
    comment="One row per exported clip and output folder.",
    key=("out", "clip_id"),
    schema=pa.schema(
        [
            column("out", pa.string(), "output folder", nullable=False),
            column("clip_id", pa.string(), "clip", nullable=False),
            column("layout", pa.string(), "layout", range_="talkvid, webdataset, hf"),
            column("file", pa.string(), "file below `out` that holds its media; null with --no-media"),
            column("bytes", pa.int64(), "size of its media", unit="B"),
            column("settings", pa.string(), "what shaped the file: frame rate, layout, crop, encoder"),
            column("policy_hash", pa.string(), "policy that kept it"),
            column("written_at", UTC_TIME, "when"),
            column("run_id", pa.string(), "run"),
        ]
    ),
)
