"""A small lake whose samples can be trained on, wherever it shall lie; as a program, for a driver's node: `python -m tests.training_lake LAKE`."""

import sys

import numpy as np

from jobs import metadata
from schemas.active_policy import make_active
from schemas.duck import connect
from schemas.lake import Lake
from schemas.ledger import now
from schemas.policy import Policy, Rule
from schemas.views import verdicts_sql
from tests.small_samples import sample

CLIPS, FILES = 9, 3
"""Of the program: clips, and files of the table `samples`."""


def make(root: str, clips: int, files: int = 1) -> Lake:
    """So many clips of 2 s of one video, all kept, each of a speaker of its own, with a sample."""
    ids = [f"talk-{2000 * n:09d}-{2000 * n + 2000:09d}" for n in range(clips)]
    lake = Lake.at(root)
    lake.ledger.create()
    video = {"video_id": "talk", "uri": "/talk.mp4", "sha256": "talk", "width": 64, "height": 64, "fps": 25.0, "duration_s": 2.0 * clips}
    lake.ledger.append("videos", [video])
    spans = {"preset": "default", "video_id": "talk", "speech_ratio": 1.0, "shot_index": 0}
    lake.ledger.append("clips", [{"clip_id": clip_id, "start_s": 2.0 * n, "end_s": 2.0 * n + 2, **spans} for n, clip_id in enumerate(ids)])
    metadata.refresh(lake)
    policy = Policy("all", (Rule("speech", "speech_ratio", ">=", 0.5),))
    make_active(lake.ledger, policy)
    with connect(lake.ledger) as engine:
        lake.ledger.append_arrow("verdicts", engine.sql(verdicts_sql(policy, "duckdb", now().isoformat())).to_arrow_table())
    sound = {"audio_features": np.zeros((99, 768), np.float16).tobytes(), "audio_rows": 99, "audio_width": 768}
    for part in range(files):
        lake.ledger.append("samples", [sample(clip_id, 50, seed, **sound) for seed, clip_id in enumerate(ids) if seed % files == part])
    return lake


if __name__ == "__main__":
    make(sys.argv[1], CLIPS, FILES)
