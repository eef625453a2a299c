"""`scores`: what the scorers measured; one row per clip and run, one nullable struct per scorer, append only."""

import pyarrow as pa

from schemas.table import UTC_TIME, Table, column

_PROVENANCE = [
    column("fingerprint", pa.string(), "scorer version, parameters and weights; `random:` when weights are random"),
    column("device", pa.string(), "kind of device it ran on", range_="cpu, cuda"),
    column("dtype", pa.string(), "number format of the networks", range_="float32, bfloat16"),
]


def _head_values() -> list[pa.Field]:
    values = []
    for name, unit, top in (
        ("movement", "100 - % of the short side per second", "..100"),
        ("rotation", "100 - degrees per second", "..100"),
        ("completeness", "points", "0..100"),
        ("resolution", "30 x % of the frame covered by the face box", "0..3000"),
        ("orientation", "100 - % of 180 degrees", "..100"),
    ):
        for which in ("avg", "min"):
            values.append(column(f"{which}_{name}", pa.float64(), f"head {name}, {which}", unit=unit, range_=top, source="talkvid.md §4.2"))
    values += [
        column("face_consistency", pa.float64(), "100 - 20 per sampled frame without exactly one face", range_="0..100", source="talkvid.md §4.2"),
        column("faces_max", pa.int32(), "most faces seen in one sampled frame"),
        column("backend", pa.string(), "face detector and embedder", range_="centerface-dlib, insightface:<pack>"),
        column("pose_source", pa.string(), "how head pose was had", range_="landmark_3d_68, pnp5"),
    ]
    return values


FACE = pa.struct(
    [
        column("time_s", pa.float64(), "time in the clip", unit="s"),
        column("box", pa.list_(pa.float32()), "left, top, right, bottom", unit="px"),
        column("score", pa.float32(), "detector's confidence", range_="0..1"),
        column("keypoints", pa.list_(pa.float32()), "x, y of left eye, right eye, nose, left and right mouth corner", unit="px"),
    ]
)

TECHNICAL = [
    column("sharpness", pa.float64(), "variance of the Laplacian of luma at 480 lines, median over frames", range_="0.., higher is sharper"),
    column("noise", pa.float64(), "noise standard deviation of luma", unit="grey levels", source="Immerkaer 1996"),
    column("exposure", pa.float64(), "mean luma", range_="0..1"),
    column("contrast", pa.float64(), "5th to 95th percentile range of luma", range_="0..1"),
    column("blockiness", pa.float64(), "luma step over 8x8 block edges relative to steps inside blocks", range_="about 1 when there is none"),
    column("letterbox", pa.float64(), "share of the picture that is constant dark border", range_="0..1"),
]
FLOW = [
    column("survival", pa.float64(), "share of tracked points that pass the forward-backward check", range_="0..1"),
    column("mean_px", pa.float64(), "mean displacement of points per 1/25 s, at 480 lines", unit="px"),
    column("p95_px", pa.float64(), "95th percentile of the same", unit="px"),
    column("shake", pa.float64(), "mean change of the global motion between neighbouring steps", unit="px"),
    column("frozen", pa.float64(), "share of steps in which the picture does not change", range_="0..1"),
]
HEAD = _head_values()
HEAD_DETAIL = [
    column("frames", pa.int32(), "sampled frames with exactly one face"),
    *[
        column(f"min_{name}_id", pa.int32(), f"index of the worst {name}, among single-face frames or their steps")
        for name in ("movement", "rotation", "completeness", "resolution", "orientation")
    ],
    column("age", pa.float64(), "median estimated age; null where the model pack has no estimate", unit="years"),
    column("gender", pa.string(), "majority estimate; null where the model pack has no estimate", range_="female, male"),
    column("embedding", pa.list_(pa.float32()), "mean identity embedding, unit length; compare only within one backend"),
    column("faces", pa.list_(FACE), "the face of each single-face frame"),
]
DOVER = [
    column("aesthetic", pa.float64(), "raw aesthetic output", source="dover.md"),
    column("technical", pa.float64(), "raw technical output", source="dover.md"),
    column("overall", pa.float64(), "fused score", range_="0..1", source="talkvid.md §2.4"),
    column("dover_scores", pa.float64(), "as released: aesthetic output standardised with technical statistics", source="talkvid.md §2.4"),
]
COTRACKER = [
    column("cotracker_ratio", pa.float64(), "share of visible points, minimum over segments", range_="0..1", source="talkvid.md §3.4"),
    column("paper_ratio", pa.float64(), "share of valid trajectories", range_="0..1", source="talkvid.md §3.4, the paper's"),
    column("mean_displacement_px", pa.float64(), "mean displacement per frame", unit="px", source="talkvid.md §3.4"),
]
SYNC = [
    column("confidence", pa.float64(), "median minus minimum distance over offsets", source="metrics.md"),
    column("distance", pa.float64(), "minimum mean distance over offsets", source="metrics.md"),
    column("offset_frames", pa.int32(), "audio lead at the minimum", unit="frames of 1/25 s", source="metrics.md"),
]

SHOWN: dict[str, list[pa.Field]] = {
    "dover": DOVER,
    "cotracker": COTRACKER,
    "head": HEAD,
    "technical": TECHNICAL,
    "flow": FLOW,
    "sync": SYNC,
}
"""Values of each scorer that `clip_metadata` shows, in its order."""

STORED: dict[str, list[pa.Field]] = {name: fields + (HEAD_DETAIL if name == "head" else []) for name, fields in SHOWN.items()}
"""Values of each scorer that `scores` keeps: what a scorer's `score` must return."""


def struct_of(scorer: str, *, shown: bool = False) -> pa.StructType:
    """The struct column of a scorer in `scores`, or with `shown` in `clip_metadata`, where only `fingerprint` stands beside."""
    if shown:
        return pa.struct(SHOWN[scorer] + _PROVENANCE[:1])
    return pa.struct(STORED[scorer] + _PROVENANCE)


TABLE = Table(
    name="scores",
    comment="History of measurements, append only: the newest non-null struct of a scorer counts.",
    key=("clip_id", "run_id"),
    schema=pa.schema(
        [
            column("clip_id", pa.string(), "clip", nullable=False),
            column("run_id", pa.string(), "run that scored it", nullable=False),
            *[column(name, struct_of(name), f"scorer {name}") for name in STORED],
            column("skipped_by", pa.string(), "rule and policy hash of the cascade that kept expensive scorers away: `<policy_hash>:<rule>`"),
            column("scored_at", UTC_TIME, "when", nullable=False),
        ]
    ),
    properties={"delta.checkpointInterval": "100", "delta.dataSkippingStatsColumns": "clip_id"},
)
