"""Steps that a run does not go on from are kept under another address: never mixed with those that it writes, never removed for them.

Wherever this breaks off, each step is whole under the one address or the other, and what is left is put aside by the next run.
"""

import os
import time
from collections.abc import Iterable

from schemas import storage
from training import checkpoint_store
from training.checkpoint_store import Found
from training.checkpoints import FROZEN, MANIFEST
from training.exported import MODEL_FOLDER, NOTE
from training.stage_files import ASIDE, CONFIG, SNAPSHOT


def set_aside(stage: str, step: Found | None) -> str | None:
    """Give another address to the steps of `stage` that a run from `step` on (None: from the start) does not build on; returns it, None where there were none.

    Of the step's own stage only the later steps and the model go: with copies of what belongs to them they can be gone on from there.
    """
    there = checkpoint_store.listed(stage)
    own = step is not None and storage.same(step.stage, stage)
    later = {top for number, top in checkpoint_store.steps(there) if not own or number > step.manifest.step}
    if not any(f"{top}/{MANIFEST}" in there for top in later):
        return None
    aside = f"{stage}{ASIDE}{time.strftime('%Y%m%dT%H%M%S')}"
    if not own and not storage.is_remote(stage):
        os.rename(stage, aside)
        return aside
    for name in (CONFIG, SNAPSHOT, FROZEN):
        if own and name in there:
            storage.copy(storage.at(stage, name), storage.at(aside, name))
    names = [name for name in there if not own or name.partition("/")[0] in later | {MODEL_FOLDER}]
    if storage.is_remote(stage):
        _move_in_store(stage, aside, names)
    else:  # the model first: one that stayed without its steps could be taken for that of a new run
        for top in sorted({name.partition("/")[0] for name in names}, key=lambda top: (top != MODEL_FOLDER, top)):
            os.rename(storage.at(stage, top), storage.at(aside, top))
    return aside


def _move_in_store(stage: str, aside: str, names: Iterable[str]) -> None:
    """Copy all, then delete all: what says that the rest is whole comes there last, and goes from here first."""
    for name in sorted(names, key=lambda name: (_says_whole(name), name)):
        storage.copy(storage.at(stage, name), storage.at(aside, name))
    for name in sorted(names, key=lambda name: (not _says_whole(name), name)):
        storage.delete(storage.at(stage, name))


def _says_whole(name: str) -> bool:
    return name.rpartition("/")[2] in (MANIFEST, NOTE)
