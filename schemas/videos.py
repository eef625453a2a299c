"""`videos`: one row per distinct video that was ingested."""

import pyarrow as pa

from schemas.table import UTC_TIME, Table, column

REGISTERED = """(
    SELECT v.video_id,
        v.bytes || ':' || coalesce(s.mtime_ns::VARCHAR, '') || ':' || coalesce(epoch_ns(v.ingested_at)::VARCHAR, '') || ':' || v.sha256 AS registered
    FROM videos v LEFT JOIN (
        SELECT video_id, uri, arg_max(mtime_ns, seen_at) AS mtime_ns FROM sources WHERE outcome = 'registered' GROUP BY ALL
    ) s ON s.video_id = v.video_id AND s.uri = v.uri)"""
"""SQL for DuckDB: by video the line `registered`, which tells a worker what file it was (`udfs.registered`); one short text, because it goes with each clip."""

SOURCE = pa.struct(
    [
        column("platform", pa.string(), "where it came from", range_="youtube, file, http, …"),
        column("url", pa.string(), "page or file address at the platform"),
        column("channel", pa.string(), "channel or uploader; hostile text"),
        column("licence", pa.string(), "licence as the platform words it"),
        column("title", pa.string(), "title; hostile text"),
        column("uploaded", pa.string(), "upload date", unit="YYYY-MM-DD"),
    ]
)
LABELS = pa.struct(
    [
        column("language", pa.string(), "spoken language"),
        column("speaker_id", pa.string(), "person, as the source names them"),
        column("age_group", pa.string(), "age group", range_="0-19, 19-30, 31-45, 46-60, 60+"),
        column("gender", pa.string(), "gender"),
        column("ethnicity", pa.string(), "ethnicity"),
        column("category", pa.string(), "video category"),
        column("source", pa.string(), "who said so", range_="manifest, labels-csv"),
    ]
)
CROP = pa.struct([column(side, pa.int32(), f"{side} edge", unit="px") for side in ("left", "top", "right", "bottom")])
SPAN = pa.struct(
    [
        column("start_s", pa.float64(), "start in the video", unit="s"),
        column("end_s", pa.float64(), "end, exclusive", unit="s"),
        column("crop", CROP, "box in pixels of the upright video"),
        column("caption", pa.string(), "caption the manifest gave the span; hostile text"),
    ]
)

TABLE = Table(
    name="videos",
    comment="One row per distinct video (same bytes = one row).",
    key=("video_id",),
    schema=pa.schema(
        [
            column("video_id", pa.string(), "platform id, else h + 16 hex digits of the content hash", nullable=False),
            column("uri", pa.string(), "where the media lies", nullable=False),
            column("sha256", pa.string(), "hash of the file's bytes", nullable=False),
            column("bytes", pa.int64(), "file size", unit="B"),
            column("container", pa.string(), "demuxer, found from magic bytes"),
            column("video_codec", pa.string(), "codec of the first video stream", source="ffprobe"),
            column("audio_codec", pa.string(), "codec of the first audio stream", source="ffprobe"),
            column("width", pa.int32(), "width of the displayed picture: after rotation, with square pixels", unit="px"),
            column("height", pa.int32(), "height of the displayed picture", unit="px"),
            column("fps", pa.float64(), "average frame rate", unit="1/s"),
            column("frames", pa.int64(), "number of frames", source="packets"),
            column("duration_s", pa.float64(), "length of the video stream", unit="s"),
            column("rotation", pa.int32(), "display rotation that decoding applies", unit="degrees clockwise", range_="0, 90, 180, 270"),
            column("has_audio", pa.bool_(), "true when it has an audio stream or an `audio_uri`"),
            column("sample_rate", pa.int32(), "audio sample rate", unit="Hz"),
            column("source", SOURCE, "provenance"),
            column("labels", LABELS, "who is seen and heard"),
            column("spans", pa.list_(SPAN), "spans a manifest gave for it, else null"),
            column("subtitle_uri", pa.string(), "VTT or SRT file beside it"),
            column("audio_uri", pa.string(), "separate audio file, when the source keeps it apart"),
            column("ingested_at", UTC_TIME, "when it was registered"),
            column("run_id", pa.string(), "run that registered it"),
        ]
    ),
    checks={"video_size": "width > 0 AND height > 0", "video_length": "duration_s > 0"},
)
