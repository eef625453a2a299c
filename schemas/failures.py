"""`failures`: every input that could not be used, with a stable code and a sentence."""

import pyarrow as pa

from schemas.table import UTC_TIME, Table, column

TABLE = Table(
    name="failures",
    comment="Bad input and what failed on it: history, append only.",
    key=("entity", "stage", "fingerprint"),
    schema=pa.schema(
        [
            column("entity", pa.string(), "URI at ingest, video_id in segment, clip_id afterwards", nullable=False),
            column("stage", pa.string(), "where it failed", range_="ingest, segment, score:<scorer>, export, …", nullable=False),
            column("fingerprint", pa.string(), "of what was tried; size and mtime at ingest"),
            column("code", pa.string(), "failure code of the contract", source="schemas/codes.py", nullable=False),
            column("detail", pa.string(), "one plain sentence"),
            column("retryable", pa.bool_(), "may go away by itself"),
            column("attempt", pa.int32(), "how many times it was tried", range_="1.."),
            column("at", UTC_TIME, "when"),
            column("run_id", pa.string(), "run"),
        ]
    ),
)
