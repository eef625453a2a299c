"""Batches made of their sample's number, with the trainer's contract; run as a program it is one rank that trains on them."""

import sys
from pathlib import Path

import torch

from training.batch import Batch, SampleKey
from training.random_draws import generator
from training.stages import read

SIDE = 64


class ToySource:
    """Cached latents of `clips` clips, a pure function of the sample's number. `bad_step` holds a value that is no number."""

    version = 3
    random = False

    def __init__(self, clips: int = 4, bad_step: int | None = None, after=lambda step: None):
        self.clips, self.bad_step, self.after = clips, bad_step, after
        self.asked = []

    def batches(self, settings, processes, start_step):
        step = start_step
        while True:
            each = settings.batch_per_rank
            first = step * each * processes.world + processes.rank * each
            self.asked.append(step)
            yield toy_batch(step, range(first, first + each), settings.frames, self.clips, bad=step == self.bad_step)
            self.after(step)
            step += 1

    def held_out(self, settings):
        return [toy_batch(0, [10_000 + number], settings.frames, self.clips) for number in range(settings.validation_samples)]


def toy_batch(step, indices, frames, clips=4, bad=False):
    side = SIDE // 8
    parts = {"target_moments": [], "reference_moments": [], "kps_images": [], "audio_windows": [], "lip_masks": []}
    keys = []
    for index in indices:
        clip = index % clips
        random = generator("toy", clip, frames)
        parts["target_moments"].append(torch.randn(1, 8, frames, side, side, generator=random) * (float("nan") if bad else 1.0))
        parts["reference_moments"].append(torch.randn(1, 8, side, side, generator=random))
        parts["kps_images"].append(torch.rand(1, 3, frames, SIDE, SIDE, generator=random))
        parts["audio_windows"].append(torch.randn(1, frames, 10, 768, generator=random))
        parts["lip_masks"].append(torch.rand(1, 1, frames, side, side, generator=random))
        keys.append(SampleKey(f"clip{clip}", index // clips, index, 40, 0, False))
    return Batch(step, keys, None, None, **{name: torch.cat(tensors) for name, tensors in parts.items()})


def write_config(folder: Path, stage: int, **changes):
    """A stage's folder with its settings; returns the settings."""
    plain = {"engine": "plain", "start": "random", "frames": "2", "steps": "6", "checkpoint_every": "2", "validate_every": "0"}
    settings = read(stage, None, {**plain, **{name: str(value) for name, value in changes.items()}}, smoke=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(settings.text())
    return settings


if __name__ == "__main__":
    import training.snapshot_source
    from training.train import main

    class _Toy:
        of = staticmethod(lambda file: ToySource())

    training.snapshot_source.SnapshotSource = _Toy
    sys.exit(main())
