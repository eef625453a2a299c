"""`sources`: every address `ingest` has looked at, so that a rerun finds only what is new."""

import pyarrow as pa

from schemas.table import UTC_TIME, Table, column

TABLE = Table(
    name="sources",
    comment="What ingest found, by address: history, append only.",
    key=("uri", "bytes", "mtime_ns"),
    schema=pa.schema(
        [
            column("uri", pa.string(), "address that was found", nullable=False),
            column("bytes", pa.int64(), "size then; null when it could not be read", unit="B"),
            column("mtime_ns", pa.int64(), "modification time then", unit="ns since 1970"),
            column("outcome", pa.string(), "what became of it", range_="registered, duplicate, removed, failed", nullable=False),
            column("video_id", pa.string(), "video it is, or duplicates"),
            column("seen_at", UTC_TIME, "when it was looked at"),
            column("run_id", pa.string(), "run that looked"),
        ]
    ),
)
