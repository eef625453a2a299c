"""`generations`: every video that was asked for in a batch, what made it, and where it lies."""

import pyarrow as pa

from schemas.table import UTC_TIME, Table, column

TABLE = Table(
    name="generations",
    comment="One row per video that was generated, or could not be: history, append only; the newest row of a generation_id in a run counts.",
    key=("generation_id", "fingerprint", "created_at"),
    schema=pa.schema(
        [
            column("generation_id", pa.string(), "the video's name in its table, or made from what was asked", nullable=False),
            column(
                "run_id",
                pa.string(),
                "videos asked for together: of one table and model; kept by reruns while all that it holds is still asked for as it was made",
                nullable=False,
            ),
            column("reference_uri", pa.string(), "portrait"),
            column("audio_uri", pa.string(), "sound"),
            column("kps_uri", pa.string(), "driving key points, or the video they are taken from"),
            column("clip_id", pa.string(), "clip that the inputs come from, as the input table says"),
            column("ground_truth_uri", pa.string(), "real video to compare with, as the input table says"),
            column("language", pa.string(), "as the input table says"),
            column("age_group", pa.string(), "as the input table says"),
            column("gender", pa.string(), "as the input table says"),
            column("ethnicity", pa.string(), "as the input table says"),
            column("parameters", pa.string(), "options as JSON; names are flags of generate"),
            column("seed", pa.int64(), "of the noise", range_="0.."),
            column("model_fingerprint", pa.string(), "trained and frozen networks; random: where weights began at random"),
            column("fingerprint", pa.string(), "contents of the inputs, options, seed and model: what was asked", nullable=False),
            column("output_uri", pa.string(), "the video"),
            column("bytes", pa.int64(), "size of the video", unit="B"),
            column("frames", pa.int32(), "frames of the video"),
            column("fps", pa.float64(), "frame rate of the video", unit="1/s"),
            column("duration_s", pa.float64(), "length of the video", unit="s"),
            column("seconds", pa.float64(), "what making it took; null where an earlier run made it", unit="s"),
            column("status", pa.string(), "outcome", range_="written, failed", nullable=False),
            column("code", pa.string(), "failure code", source="schemas/codes.py"),
            column("detail", pa.string(), "why it failed, in a sentence"),
            column("source", pa.string(), "the table that asked for it"),
            column("created_at", UTC_TIME, "when"),
        ]
    ),
)
