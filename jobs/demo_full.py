"""The rest of `talkvid demo --full`: samples, three tiny stages of training, generated videos, and what they are worth."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.cli import Sessions
from jobs.run import configured, run_line
from jobs.summary import Summary
from schemas import duck
from schemas.lake import Lake
from schemas.lease import lease
from training.stages import STAGES
from udfs import media

MOST_VIDEOS = 2
STEPS = 6
"""Of each stage: enough to see that a loss is there, a checkpoint is written and the next stage finds it."""
SAMPLING_STEPS = 2
PORTRAIT_PX = 512

KEPT = """
SELECT e.out || '/' || e.file AS file, clip_id, s.video, s.language, s.age_group, s.gender, s.ethnicity
FROM exports e JOIN samples s USING (clip_id) JOIN curated USING (clip_id)
WHERE e.out = ? AND e.file IS NOT NULL ORDER BY clip_id LIMIT ?"""


@dataclass(frozen=True)
class Rest:
    """Where the demo lies: `out` holds its dataset; the model and the wishes for videos go there too. `shared`: words that every verb takes."""

    out: Path
    policy: str
    shared: tuple[str, ...]

    @property
    def model(self) -> Path:
        """Folder of the trained stages."""
        return self.out / "model"

    @property
    def wishes(self) -> Path:
        """The table of videos to generate."""
        return self.out / "generate.csv"

    @property
    def page(self) -> Path:
        """The evaluation."""
        return self.out / "evaluation.html"


def go_on(lake: Lake, rest: Rest, sessions: Sessions) -> dict[str, Summary]:
    """prepare → train stages 1 to 3 → generate → evaluate, prepare and train with `--smoke`. Training takes the lease for itself, when it writes."""
    summaries = _held(lake, rest, sessions, [("prepare", ["--policy", rest.policy, "--smoke"])])
    for stage in STAGES:
        words = ["--stage", str(stage), "--smoke", "--output", str(rest.model), "--set", f"steps={STEPS}", "--device", "cpu"]
        summaries |= {f"train stage {stage}": summary for summary in run_line(lake, [configured("train", [*words, *rest.shared])], sessions).values()}
    write_wishes(lake, rest)
    generate = ["--table", str(rest.wishes), "--checkpoint_path", str(rest.model), "--fps", "25", "--num_inference_steps", str(SAMPLING_STEPS)]
    return summaries | _held(lake, rest, sessions, [("generate", generate), ("evaluate", ["--out", str(rest.page)])])


def _held(lake: Lake, rest: Rest, sessions: Sessions, verbs: Sequence[tuple[str, list[str]]]) -> dict[str, Summary]:
    with lease(lake.place, "demo"):
        return run_line(lake, [configured(verb, [*words, *rest.shared]) for verb, words in verbs], sessions)


def write_wishes(lake: Lake, rest: Rest) -> None:
    """A CSV for `generate --table`: of the first samples the face as it was cropped for training, to compare with, its first picture as portrait,
    and the sound of the clip."""
    with duck.connect(lake.ledger) as engine:
        kept = engine.execute(KEPT, [str(rest.out / "dataset"), MOST_VIDEOS]).to_arrow_table().to_pylist()
    rows: list[dict[str, Any]] = []
    for clip in kept:
        real = rest.out / "real" / f"v_{clip['clip_id']}.mp4"
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_bytes(clip["video"])
        portrait = real.with_suffix(".jpg")
        media.still(real, 0.0, portrait, width_px=PORTRAIT_PX)
        labels = {name: clip[name] for name in ("language", "age_group", "gender", "ethnicity")}
        inputs = {"reference_image_path": str(portrait), "audio_path": clip["file"], "ground_truth_uri": str(real)}
        rows.append({"generation_id": f"demo-{clip['clip_id']}", **inputs, "clip_id": clip["clip_id"], **labels})
    with rest.wishes.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else ["reference_image_path", "audio_path"])
        writer.writeheader()
        writer.writerows(rows)
