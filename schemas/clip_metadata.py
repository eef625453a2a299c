"""`clip_metadata`: the table an analyst wants, one row per clip of the active preset, kept current by the jobs."""

import pyarrow as pa

from schemas import clips, videos
from schemas.scores import SHOWN, struct_of
from schemas.table import UTC_TIME, Table, column


def _of(table: Table, *names: str) -> list[pa.Field]:
    return [table.schema.field(name).with_nullable(True) for name in names]


def _inside(struct: pa.StructType, *names: str) -> list[pa.Field]:
    return [struct.field(name) for name in names]


LABEL_NAMES = ("language", "speaker_id", "age_group", "gender", "ethnicity", "category")
SOURCE_NAMES = ("platform", "url", "channel", "licence", "title")

TABLE = Table(
    name="clip_metadata",
    comment="One row per clip of the active preset, with its newest scores: ask this one.",
    key=("clip_id",),
    schema=pa.schema(
        [
            column("clip_id", pa.string(), "{video_id}-{start_ms:09d}-{end_ms:09d}", nullable=False),
            *_of(clips.TABLE, "video_id"),
            *_of(videos.TABLE, "uri"),
            *_of(clips.TABLE, "preset", "shot_index", "crop", "start_s", "end_s"),
            column("duration_s", pa.float64(), "end_s - start_s", unit="s"),
            *_of(clips.TABLE, "start_frame", "end_frame", "speech_s", "speech_ratio"),
            *_of(videos.TABLE, "width", "height", "fps", "has_audio"),
            *_inside(videos.SOURCE, *SOURCE_NAMES),
            *_inside(videos.LABELS, *LABEL_NAMES),
            column("labels_source", pa.string(), "who gave the labels"),
            *_of(clips.TABLE, "caption"),
            *[column(name, struct_of(name, shown=True), f"newest {name} scores, null where not scored") for name in SHOWN],
            column("scored_at", UTC_TIME, "newest score"),
        ]
    ),
)
