"""`removals`: tombstones: what must not come back."""

import pyarrow as pa

from schemas.table import UTC_TIME, Table, column

TABLE = Table(
    name="removals",
    comment="Videos, channels and addresses that were taken out and stay out.",
    key=("video_id", "channel", "url"),
    schema=pa.schema(
        [
            column("video_id", pa.string(), "video, or null for a channel"),
            column("channel", pa.string(), "channel, or null for a video"),
            column("url", pa.string(), "address"),
            column("sha256", pa.string(), "hash of the removed bytes, so that they are known under any name"),
            column("reason", pa.string(), "why"),
            column("requested_at", UTC_TIME, "when it was asked for"),
            column("applied_at", UTC_TIME, "when it had reached everything"),
        ]
    ),
)
