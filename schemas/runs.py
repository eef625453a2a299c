"""`runs`: one row per finished run of a writing verb; a training has one more, without an end, from its start on."""

import pyarrow as pa

from schemas.table import UTC_TIME, Table, column

_COUNTS = pa.map_(pa.string(), pa.int64())

TABLE = Table(
    name="runs",
    comment="What ran, on which versions, with what outcome: history, append only.",
    key=("run_id",),
    schema=pa.schema(
        [
            column("run_id", pa.string(), "run", nullable=False),
            column("verb", pa.string(), "verb", nullable=False),
            column("configuration", pa.string(), "configuration as JSON"),
            column("input_versions", _COUNTS, "Delta versions of the tables it depends on, as it left them"),
            column("fingerprints", pa.map_(pa.string(), pa.string()), "fingerprints it wanted"),
            column("counts", _COUNTS, "the sums of law 6"),
            column("output_uris", pa.list_(pa.string()), "files and folders it wrote"),
            column("complete", pa.bool_(), "false when it was limited or left work undone"),
            column("started", UTC_TIME, "start"),
            column("finished", UTC_TIME, "end"),
        ]
    ),
)
