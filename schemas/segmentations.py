"""`segmentations`: what became of each video in segmentation, so that videos without clips are done too."""

import pyarrow as pa

from schemas.table import UTC_TIME, Table, column

TRANSITION = pa.struct(
    [
        column("start_s", pa.float64(), "start", unit="s"),
        column("end_s", pa.float64(), "end, exclusive", unit="s"),
        column("kind", pa.string(), "kind", range_="cut, gradual"),
    ]
)

TABLE = Table(
    name="segmentations",
    comment="One row per video, preset and segmentation fingerprint: history, append only.",
    key=("video_id", "preset", "fingerprint"),
    schema=pa.schema(
        [
            column("video_id", pa.string(), "video", nullable=False),
            column("preset", pa.string(), "segmentation preset", nullable=False),
            column("fingerprint", pa.string(), "detector, its parameters and weights", nullable=False),
            column("outcome", pa.string(), "result", range_="with_clips, without_clips, failed", nullable=False),
            column("reason", pa.string(), "why there are no clips"),
            column("shots", pa.int32(), "shots found"),
            column("clips", pa.int32(), "clips made"),
            column("transitions", pa.list_(TRANSITION), "what separates the shots"),
            column("segmented_at", UTC_TIME, "when"),
            column("run_id", pa.string(), "run"),
        ]
    ),
)
