"""From a step on disk to the official five files: any step of any engine and number of ranks."""

import shutil
from pathlib import Path

import torch

from training import checkpoints, exported
from training.checkpoints import Step
from training.core_step import DTYPES
from training.exported import Exported
from training.model import official
from training.model.vexpress import VExpress
from training.stages import MODELS, Settings


def model_of(step: Step, *, averaged: bool, dtype: torch.dtype = torch.float32) -> VExpress:
    """The whole model of a step, on the CPU; with the averaged weights where some were kept and `averaged`."""
    with torch.device("meta"):
        model = VExpress(MODELS[step.manifest.model])
    model = model.to(dtype).to_empty(device="cpu")
    fill(model, step, averaged=averaged)
    return model


def fill(model: VExpress, step: Step, *, averaged: bool = False) -> None:
    """Set every weight of a model to that of the step."""
    stored, frozen = step.stored(), step.frozen()
    row = "average" if averaged and stored.has("average") else "master"
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            tensor.copy_(frozen[name] if name in frozen else stored.numbers(row, name, 0, tensor.numel()).view(tensor.shape))


def export(folder: Path, settings: Settings, step: Step | None = None) -> Exported:
    """Write `folder/model` from a step, the newest if not said: from float32 master weights, in half precision, unless all was trained in float32."""
    step = step or checkpoints.at(folder)
    model = model_of(step, averaged=settings.ema > 0)
    target, part, old = folder / exported.MODEL_FOLDER, folder / ".model.part", folder / ".model.old"
    for leftover in (part, old):
        shutil.rmtree(leftover, ignore_errors=True)
    official.save(model, part, dtype=DTYPES["fp32"] if settings.precision == "fp32" else torch.float16)
    said = step.manifest
    exported.describe(part, model=said.model, stage=said.stage, step=said.step, random=said.random, snapshot_version=said.snapshot_version)
    if target.exists():
        target.rename(old)
    part.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    return exported.find(target)
