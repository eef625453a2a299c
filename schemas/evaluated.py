"""`evaluated`: what `evaluate` measured of each video, so that it goes on where it was stopped and groups are made anew at once."""

import pyarrow as pa

from schemas.table import UTC_TIME, Table, column

VALUE = pa.struct(
    [
        column("metric", pa.string(), "metric"),
        column("fingerprint", pa.string(), "version, parameters and networks of the metric"),
        column("value", pa.float64(), "mean over the video's frames"),
        column("reason", pa.string(), "why there is no value"),
    ]
)
FEATURES = pa.struct(
    [
        column("metric", pa.string(), "fid, fvd"),
        column("side", pa.string(), "whose they are", range_="generated, real"),
        column("rows", pa.int32(), "pictures, or windows of frames"),
        column("width", pa.int32(), "length of one feature"),
        column("data", pa.binary(), "float32, little endian, row by row"),
    ]
)

TABLE = Table(
    name="evaluated",
    comment="One row per video and run of evaluate that measured something of it: history, append only.",
    key=("item_id", "run_id"),
    schema=pa.schema(
        [
            column("item_id", pa.string(), "generated video with what it is compared with, by address and age", nullable=False),
            column("run_id", pa.string(), "run that measured it", nullable=False),
            column("values", pa.list_(VALUE), "a value, or a reason, for each metric that was measured"),
            column("features", pa.list_(FEATURES), "features of the metrics that only sets have"),
            column("measured_at", UTC_TIME, "when"),
        ]
    ),
    properties={"delta.dataSkippingStatsColumns": "item_id"},
)
