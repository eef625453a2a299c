"""The verbs that are disturbed, in the order of the line, their words, and the small inputs that all of them start from."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.inference.inputs import QUICK, portrait_file, smoke_checkpoint, tone
from udfs.footage.tiny import tiny_video

STAGES = ("ingest", "segment", "score", "export", "prepare", "train", "generate")
POLICY = "name: all\nrules:\n  - {name: length, column: duration_s, op: '>', value: 0.0, why: every clip}\n"
VIDEOS = 6
WISHES = 6
STEPS, EVERY = 8, 2
"""Of training: all steps, and steps between two checkpoints."""


@dataclass(frozen=True)
class Inputs:
    """Files that no verb changes, below `root`."""

    root: Path

    @property
    def footage(self) -> Path:
        """Videos of a face, two shots each."""
        return self.root / "footage"

    @property
    def policy(self) -> Path:
        """Keeps every clip."""
        return self.root / "all.yaml"

    @property
    def model(self) -> Path:
        """A tiny trained model."""
        return self.root / "trained"

    @property
    def wishes(self) -> Path:
        """The table for `generate`."""
        return self.root / "wanted.csv"

    def make(self, stages: Sequence[str]) -> "Inputs":
        """Write what these stages, and those before them, take; what is there already stays."""
        if not self.footage.exists():
            self.footage.mkdir(parents=True)
            for number in range(VIDEOS):
                tiny_video(self.footage / f"{number}.mp4", seconds=2, shots=2, seed=2 * number)
            self.policy.write_text(POLICY)
        if "generate" in stages and not self.wishes.exists():
            smoke_checkpoint(self.model)
            portrait_file(self.root / "portrait.png")
            rows = []
            for number in range(WISHES):
                sound = tone(self.root / f"{number}.wav", 0.4 + 0.1 * (number % 4), 200 + 50 * number)
                rows.append([f"v{number}", str(self.root / "portrait.png"), str(sound)])
            with self.wishes.open("w", newline="") as file:
                csv.writer(file).writerows([["generation_id", "reference_image_path", "audio_path"], *rows])
        return self


def words(stage: str, inputs: Inputs, work: str, launcher: str) -> list[str]:
    """The command line of a stage; all that it writes lies below the address `work`: lake, out, train, videos. `launcher` starts the ranks of a training."""
    training = {"start": "random", "steps": STEPS, "checkpoint_every": EVERY, "validate_every": 0, "engine": "plain", "workers": 0, "batch_per_rank": 1}
    own = {
        "ingest": [str(inputs.footage), "--copy"],
        "segment": ["--detector", "content", "--no-speech", "--min-s", "0", "--max-s", "0"],
        "score": ["--scorers", "technical,flow", "--commit-every", "3"],
        "filter": ["--policy", str(inputs.policy), "--save"],
        "export": [f"{work}/out", "--policy", str(inputs.policy)],
        "prepare": ["--policy", str(inputs.policy), "--smoke", "--device", "cpu"],
        "train": ["--stage", "3", "--smoke", "--output", f"{work}/train", "--num-gpus", "2", "--device", "cpu"],
        "generate": ["--table", str(inputs.wishes), "--checkpoint_path", str(inputs.model), "--out", f"{work}/videos", "--device", "cpu"],
    }
    own["train"] += ["--launcher", launcher, "--max-restarts", "3"]
    own["train"] += [word for name, value in training.items() for word in ("--set", f"{name}={value}")]
    own["generate"] += [f"--{name}={value}" for name, value in QUICK.items()]
    return [stage, *own[stage], "--lake", f"{work}/lake", "--quiet"]
