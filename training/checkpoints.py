"""Steps of training on disk: each whole or not there, the newest K kept.

A step is written into a hidden folder, by every rank its shard; then the first rank adds `manifest.json` and renames the folder. A folder without a
manifest, or whose files are not as long as it says, does not exist for a reader. What a stage does not train lies once beside the steps, in `frozen.pt`.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from schemas.errors import MissingError, UsageError
from training.processes import Processes
from training.shards import Stored

MANIFEST = "manifest.json"
FROZEN = "frozen.pt"
_STEP = re.compile(r"step-(\d{8,})")


@dataclass(frozen=True)
class Manifest:
    """What a step says of itself. `step` optimisation steps are done: the next one to do has that number, and that is the data's position too."""

    step: int
    stage: int
    model: str
    precision: str
    world: int
    global_batch: int
    random: bool
    """True when the weights began at random."""
    snapshot_version: int | None
    files: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """A whole step on disk."""

    folder: Path
    manifest: Manifest

    def stored(self) -> Stored:
        """Its shards."""
        return Stored([self.folder / name for name in self.manifest.files])

    def frozen(self) -> dict[str, Tensor]:
        """What the stage does not train, by name. Raises `MissingError`."""
        return torch.load(self.frozen_file, map_location="cpu", weights_only=True, mmap=True)

    @property
    def frozen_file(self) -> Path:
        """Beside the step."""
        file = self.folder.parent / FROZEN
        if not file.is_file():
            raise MissingError(f"{file} is not there, without which {self.folder.name} cannot be used")
        return file


def opened(folder: Path) -> Step:
    """The step in `folder`. Raises `MissingError` where there is none, or only a part of one."""
    manifest = _manifest(folder)
    if manifest is None:
        raise MissingError(f"{folder} is no whole checkpoint")
    return Step(folder, manifest)


def newest(folder: Path) -> Step | None:
    """The last whole step of a stage's folder; None when there is none."""
    for _, place in sorted(_steps(folder), reverse=True):
        manifest = _manifest(place)
        if manifest is not None:
            return Step(place, manifest)
    return None


def at(place: Path) -> Step:
    """The step that a user means: its folder, or the newest of a stage's. Raises `MissingError`."""
    found = newest(place)
    return found if found is not None else opened(place)


def write(folder: Path, manifest: Manifest, shard: Mapping[str, Any], processes: Processes, keep: int) -> Path:
    """Write a step, all ranks together, then remove all but the newest `keep`. Raises `UsageError` on every rank when the disk refuses on one."""
    part, place = folder / f".step-{manifest.step:08d}.part", folder / f"step-{manifest.step:08d}"
    if processes.first:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
    processes.wait()
    name, trouble = f"shard-{processes.rank:05d}-of-{processes.world:05d}.pt", None
    try:
        _save(dict(shard), part / name)
        told = (name, (part / name).stat().st_size)
    except (OSError, RuntimeError) as error:  # torch raises RuntimeError for a full disk
        told, trouble = (name, -1), str(error).splitlines()[0]
    troubles = [word for word in processes.all(trouble) if word]
    files = dict(processes.all(told))
    if troubles:
        raise UsageError(f"the checkpoint of step {manifest.step} could not be written to {folder}: {troubles[0]}")
    if processes.first:
        record = {**asdict(manifest), "files": files}
        (part / MANIFEST).write_text(json.dumps(record, indent=1) + "\n")
        _flush(part / MANIFEST)
        shutil.rmtree(place, ignore_errors=True)
        os.replace(part, place)
        _flush(folder)
        _prune(folder, keep)
    processes.wait()
    return place


def write_frozen(folder: Path, state: Mapping[str, Tensor]) -> None:
    """Keep what the stage does not train."""
    part = folder / f".{FROZEN}.part"
    _save(dict(state), part)
    os.replace(part, folder / FROZEN)


def _steps(folder: Path) -> list[tuple[int, Path]]:
    places = folder.iterdir() if folder.is_dir() else ()
    return [(int(match[1]), place) for place in places if (match := _STEP.fullmatch(place.name))]


def _manifest(place: Path) -> Manifest | None:
    try:
        manifest = Manifest(**json.loads((place / MANIFEST).read_text()))
        whole = all((place / name).stat().st_size == size for name, size in manifest.files.items())
    except (OSError, ValueError, TypeError):  # absent, torn or not ours: no step either way
        return None
    return manifest if whole and manifest.files else None


def _prune(folder: Path, keep: int) -> None:
    for _, place in sorted(_steps(folder), reverse=True)[keep:]:
        shutil.rmtree(place)
    for part in folder.glob(".step-*.part"):
        shutil.rmtree(part)


def _save(thing: Any, file: Path) -> None:
    with open(file, "wb") as stream:
        torch.save(thing, stream)
        stream.flush()
        os.fsync(stream.fileno())


def _flush(place: Path) -> None:
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
