"""`clips`: half-open spans of a video; nothing is cut until export."""

import pyarrow as pa

from schemas.table import Table, column
from schemas.videos import CROP

TABLE = Table(
    name="clips",
    comment="One row per clip and preset: the half-open span [start_s, end_s) of a video.",
    key=("clip_id", "preset"),
    schema=pa.schema(
        [
            column("clip_id", pa.string(), "{video_id}-{start_ms:09d}-{end_ms:09d}", nullable=False),
            column("preset", pa.string(), "segmentation preset", range_="default, talkvid, manifest", nullable=False),
            column("video_id", pa.string(), "video it is a span of", nullable=False),
            column("start_s", pa.float64(), "start", unit="s"),
            column("end_s", pa.float64(), "end, exclusive", unit="s"),
            column("start_frame", pa.int64(), "first frame"),
            column("end_frame", pa.int64(), "frame after the last"),
            column("shot_index", pa.int32(), "shot it lies in, counted from 0"),
            column("crop", CROP, "box in pixels of the upright video, null for the whole picture"),
            column("speech_s", pa.float64(), "speech inside; null when it was not measured", unit="s"),
            column("speech_ratio", pa.float64(), "speech_s / duration", range_="0..1"),
            column("caption", pa.string(), "caption the manifest gave; hostile text"),
            column("fingerprint", pa.string(), "segmentation that made it"),
            column("run_id", pa.string(), "run that made it"),
        ]
    ),
    checks={"clip_span": "end_s > start_s AND start_s >= 0"},
)
