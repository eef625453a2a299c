"""The weights that a stage starts from (vexpress.md §11.2)."""

import re
from pathlib import Path
from typing import NamedTuple

import torch

from schemas import storage
from schemas.errors import MissingError, UsageError
from training import exported
from training.model import official
from training.model.initial_weights import silence_new_parts
from training.model.vexpress import VExpress
from training.relatives import MOTION, RELATIVES, fill_from_relatives, fill_motion
from training.stages import Settings

UNSAID = 3
"""The stage that weights without a note are taken to have been through: official checkpoints are finished models."""


class Start(NamedTuple):
    """A new model, and whether its weights began at random."""

    model: VExpress
    random: bool


def missing(settings: Settings, output: str) -> str | None:
    """The sentence that says what a fresh start of this stage lacks; None when all is there. Reads no weights.

    `output` is the folder, or the prefix in a store, that holds the stages.
    """
    from udfs import weights

    wanted = []
    if settings.start == "initial":
        wanted = list(RELATIVES)
    elif settings.start != "random":
        place = _place(settings.start, output)
        try:
            stage = exported.stage_of(place)
        except MissingError:
            if place != storage.at(output, settings.start):
                return f"start={settings.start}: there is no trained model in {place}"
            earlier = re.fullmatch(r"stage_(\d)", settings.start)
            how = f"run talkvid train --stage {earlier[1]} with the same --output first, or " if earlier else ""
            return f"stage {settings.stage} starts from {storage.at(place, exported.MODEL_FOLDER)}, which is not there; {how}name a folder with --set start=DIR"
        if _takes_published_motion(settings, stage):
            wanted = [MOTION]
    lacking = [name for name in wanted if not weights.available(name)]
    if not lacking:
        return None
    others = f" (so are {', '.join(lacking[1:])})" if len(lacking) > 1 else ""
    return f"{weights.missing_sentence(weights.entry(lacking[0]))}{others}; or try the line with --smoke, or begin with --set start=random"


def started(settings: Settings, output: str) -> Start:
    """A model in float32 on the CPU, filled as `settings.start` says; the same on every rank.

    Raises `MissingError` as `missing` tells, `UsageError` where weights are those of another network, or of another size of model,
    `VerificationError` where they cannot be read.
    """
    lack = missing(settings, output)
    if lack is not None:
        raise MissingError(lack)
    if settings.start in ("initial", "random"):
        model = _at_random(settings)
        if settings.start == "initial":
            fill_from_relatives(model)
        if settings.silenced:
            silence_new_parts(model.denoising_unet)
        return Start(model, settings.start == "random")
    found = exported.find(_place(settings.start, output))
    if found.config != settings.model_config:
        raise UsageError(f"{found.folder} holds a model of another size than model={settings.model}; is --smoke given in one stage and not in the other?")
    model = official.opened(found.folder, dtype=torch.float32, config=found.config)
    if _takes_published_motion(settings, found.stage):
        fill_motion(model)
    if settings.silenced and (settings.stage == 1 or _before(settings, found.stage)):
        silence_new_parts(model.denoising_unet)
    return Start(model, found.random)


def from_itself(settings: Settings, output: str) -> bool:
    """Whether a fresh start takes the weights of the very stage that it makes anew. `output` as for `missing`."""
    if settings.start in ("initial", "random"):
        return False
    place = _place(settings.start, output)
    return any(storage.same(one, storage.at(output, settings.folder)) for one in (place, place.rpartition("/")[0]))


def _place(start: str, output: str) -> str:
    """A stage under the same output by its name, else a folder or a prefix in a store."""
    named = Path(start).name == start and not Path(start).exists()
    return storage.at(output, start) if named else storage.address(start)


def _before(settings: Settings, stage: int | None) -> bool:
    return (UNSAID if stage is None else stage) < settings.stage


def _takes_published_motion(settings: Settings, stage: int | None) -> bool:
    return settings.stage == 2 and settings.model == "full" and _before(settings, stage)


def _at_random(settings: Settings) -> VExpress:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return VExpress(settings.model_config)
