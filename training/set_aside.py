"""Steps that a run does not go on from are kept under another address: never mixed with those that it writes, never removed for them."""

import shutil
import time

from schemas import storage
from training import checkpoint_store
from training.checkpoint_store import Found
from training.checkpoints import FROZEN, MANIFEST
from training.exported import MODEL_FOLDER, NOTE
from training.stage_files import CONFIG, SNAPSHOT


def set_aside(stage: str, step: Found | None) -> str | None:
    """Give another address to the steps of `stage` that a run from `step` on (None: from the start) does not build on; returns it, None where there were none.

    Of the step's own stage only the later steps and the model go: with copies of what belongs to them they can be gone on from there.
    """
    there = checkpoint_store.listed(stage)
    own = step is not None and storage.same(step.stage, stage)
    later = {top for number, top in checkpoint_store.steps(there) if not own or number > step.manifest.step}
    if not any(f"{top}/{MANIFEST}" in there for top in later):
        return None
    aside = f"{stage}.before-{time.strftime('%Y%m%dT%H%M%S')}"
    if not own:
        _move(stage, aside, {name.partition("/")[0] for name in there}, there)
        return aside
    for name in (CONFIG, SNAPSHOT, FROZEN):
        if name in there:
            storage.copy(storage.at(stage, name), storage.at(aside, name))
    _move(stage, aside, later | {MODEL_FOLDER}, there)
    return aside


def _move(stage: str, aside: str, tops: set[str], there: dict[str, storage.Stored]) -> None:
    """Move what lies under these names: what says that the rest is whole first, so that what is left when this breaks off is no step and no model."""
    names = [name for name in there if name.partition("/")[0] in tops]
    for name in sorted(names, key=lambda name: (name.rpartition("/")[2] not in (MANIFEST, NOTE), name)):
        storage.move(storage.at(stage, name), storage.at(aside, name))
    if not storage.is_remote(stage):
        for top in tops:
            shutil.rmtree(storage.at(stage, top), ignore_errors=True)
