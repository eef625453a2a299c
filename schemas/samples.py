"""`samples`: what training streams; one row per prepared clip, with its face-cropped video and all that goes with it."""

import pyarrow as pa

from schemas.table import UTC_TIME, Table, column

_FLOATS = pa.list_(pa.float32())
_WHOLES = pa.list_(pa.int32())

TABLE = Table(
    name="samples",
    comment="One row per prepared clip, flat, for Petastorm; row groups of about 16 MiB and even size; not partitioned.",
    key=("clip_id",),
    schema=pa.schema(
        [
            column("clip_id", pa.string(), "clip", nullable=False),
            column("video_id", pa.string(), "video it is a span of"),
            *[column(name, pa.string(), f"{name} as in clip_metadata") for name in ("speaker_id", "language", "age_group", "gender", "ethnicity", "category")],
            column("labels_source", pa.string(), "who gave the labels"),
            column("frames", pa.int32(), "frames of the video"),
            column("fps", pa.float64(), "frames a second, constant; frame k shows what the clip shows k / fps after its start", unit="1/s"),
            column("side_px", pa.int32(), "side of the square picture", unit="px", range_="512; 128 for a smoke test"),
            column("video", pa.binary(), "mp4: H.264, yuv420p, no sound, no B-frames, a key frame at least every 12 frames"),
            column("keypoints", _FLOATS, "frames x 5 x 2: x, y of left eye, right eye, nose, left and right mouth corner in the crop", unit="px"),
            column("boxes", _FLOATS, "frames x 4: left, top, right, bottom of the face in the crop", unit="px"),
            column(
                "lip_boxes",
                _FLOATS,
                "frames x 4: left, top, right, bottom of the mouth, twice as wide and high, in the crop; may reach outside",
                unit="px",
                source="vexpress.md §11.5",
            ),
            column("interpolated", _WHOLES, "frames: 1 where the face was not found and its place is interpolated", range_="0, 1"),
            column("lip_source", pa.string(), "what the lip boxes were made of", range_="landmarks106, dlib68, mouth_corners"),
            column("audio_features", pa.binary(), "audio_rows x audio_width, fp16, row after row: wav2vec2's last hidden state", source="vexpress.md §7.2"),
            column("audio_rows", pa.int32(), "rows of features, about 50 a second"),
            column("audio_width", pa.int32(), "values in a row", range_="768"),
            column("crop", _WHOLES, "left, top, right, bottom of the crop in the upright source", unit="px"),
            column("face_backend", pa.string(), "what found the face", range_="centerface-dlib, insightface:<pack>"),
            column("duration_s", pa.float64(), "frames / fps", unit="s"),
            column("latents", pa.binary(), "frames x 8 x side / 8 x side / 8, fp16: means and log-variances of the VAE; null where not cached"),
            column("latents_fingerprint", pa.string(), "the VAE of the latents; `random:` when its weights are random"),
            column("fingerprint", pa.string(), "what made it; `random:` when weights are random"),
            column("run_id", pa.string(), "run that made it"),
            column("prepared_at", UTC_TIME, "when"),
        ]
    ),
)
