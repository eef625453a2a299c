"""`bench`: which clips are the benchmark, and who is in them; their speakers leave the training view."""

import pyarrow as pa

from schemas.table import UTC_TIME, Table, column

TABLE = Table(
    name="bench",
    comment="One row per benchmark clip and axis: a stratified choice of curated clips whose speakers are never trained on.",
    key=("clip_id", "axis"),
    schema=pa.schema(
        [
            column("clip_id", pa.string(), "clip it was taken from", nullable=False),
            column("axis", pa.string(), "subset", range_="age, gender, ethnicity, language", source="talkvid.md §5.5", nullable=False),
            column("group", pa.string(), "group of the subset, balanced against its others", nullable=False),
            column("rank", pa.int32(), "place within the group, counted from 1: the first n are a smaller benchmark"),
            column("start_s", pa.float64(), "start in the video", unit="s"),
            column("end_s", pa.float64(), "end, exclusive", unit="s"),
            column("speaker_id", pa.string(), "who: the source's name, or `face:` and a hash of the cluster's first video"),
            column("speaker_source", pa.string(), "who said so", range_="manifest, embedding"),
            column("seed", pa.int64(), "seed of the choice"),
            column("run_id", pa.string(), "run that chose it"),
            column("created_at", UTC_TIME, "when"),
        ]
    ),
)
