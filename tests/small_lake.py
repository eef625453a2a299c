"""A lake of six clips with hand-made scores, for tests of policies, views, `filter` and `sql`."""

from pathlib import Path

from jobs import metadata
from schemas.lake import Lake
from schemas.ledger import now

HOSTILE_TITLE = "=cmd|' /C calc'!A0 \x1b[31mred\x1b[0m <script>alert(1)</script>"
HEAD = {
    "avg_movement": 95.0,
    "min_movement": 90.0,
    "avg_rotation": 95.0,
    "min_rotation": 90.0,
    "avg_completeness": 100.0,
    "min_completeness": 100.0,
    "avg_resolution": 300.0,
    "min_resolution": 250.0,
    "avg_orientation": 90.0,
    "min_orientation": 85.0,
    "face_consistency": 100.0,
    "faces_max": 1,
    "backend": "centerface-dlib",
    "pose_source": "pnp5",
    "fingerprint": "head-v1-0",
    "embedding": [1.0, 0.0],
}
CLIPS: dict[str, tuple[float | None, float | None, dict | None]] = {
    "good": (8.0, 0.95, {}),
    "blurry": (4.0, 0.95, {}),
    "unscored": (None, None, None),
    "restless": (9.0, 0.95, {"avg_movement": 82.0}),
    "nan": (float("nan"), 0.95, {}),
    "awful": (1.0, 0.5, {"avg_movement": 10.0, "min_movement": 5.0, "face_consistency": 0.0}),
}
"""Name to dover_scores, cotracker_ratio and what differs from `HEAD`; None where the scorer gave nothing."""
TALKVID_FAILED = {
    "good": [],
    "blurry": ["dover_scores"],
    "restless": [],
    "nan": ["dover_scores:missing"],
    "awful": ["dover_scores", "avg_movement", "min_movement", "face_consistency"],
}
"""Rules of policy `talkvid` that each scored clip fails."""
CLIP_S = 5.0
VIDEO_S = 60.0


def make_small_lake(root: Path | str) -> Lake:
    """A lake with one video, its clips of five seconds each, their scores, and `clip_metadata` current."""
    lake = Lake.at(str(root))
    lake.ledger.create()
    lake.ledger.append("videos", [_video()])
    lake.ledger.append("clips", [_clip(name, number) for number, name in enumerate(CLIPS)])
    lake.ledger.append("scores", [_scores(name) for name, measured in CLIPS.items() if measured[2] is not None])
    metadata.refresh(lake)
    return lake


def _video() -> dict:
    size = {"width": 1920, "height": 1080, "fps": 25.0, "duration_s": VIDEO_S, "has_audio": True}
    source = {"platform": "youtube", "url": "https://example.org/v", "channel": "a channel", "licence": "CC BY", "title": HOSTILE_TITLE}
    labels = {"language": "English", "speaker_id": "1", "age_group": "19-30", "gender": "female", "source": "labels-csv"}
    return {"video_id": "v", "uri": "/nowhere/v.mp4", "sha256": "0", **size, "source": source, "labels": labels, "ingested_at": now()}


def _clip(name: str, number: int) -> dict:
    start_s = number * CLIP_S
    return {
        "clip_id": name,
        "preset": "default",
        "video_id": "v",
        "start_s": start_s,
        "end_s": start_s + CLIP_S,
        "start_frame": round(start_s * 25),
        "end_frame": round((start_s + CLIP_S) * 25),
        "shot_index": number,
        "speech_s": 4.0,
        "speech_ratio": 0.8,
    }


def _scores(name: str) -> dict:
    dover, ratio, head = CLIPS[name]
    return {
        "clip_id": name,
        "run_id": "score-1",
        "dover": {"dover_scores": dover, "fingerprint": "dover-v1-0"},
        "cotracker": {"cotracker_ratio": ratio, "fingerprint": "cotracker-v1-0"},
        "head": HEAD | head,
        "scored_at": now(),
    }
