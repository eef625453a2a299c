"""Steps of training on disk: each whole or not there, the newest K kept.

A step is written into a hidden folder, by every rank its shard; then the first rank adds `manifest.json` and renames the folder. A folder without a
manifest, or whose files are not as long as it says, does not exist for a reader. What a stage does not train lies once beside the steps, in `frozen.pt`.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from schemas.errors import MissingError, UsageError
from training.processes import Processes
from training.shards import Stored

MANIFEST = "manifest.json"
FROZEN = "frozen.pt"
SHARD = "shard-"
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
    """Shards of the step in the order of ranks, and their bytes."""

    def text(self) -> str:
        """As JSON that `parsed` takes."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def parsed(cls, text: str | bytes) -> "Manifest | None":
        """What `text` gave; None for anything torn or not ours: such a step does not exist."""
        try:
            manifest = cls(**json.loads(text))
        except (ValueError, TypeError):
            return None
        return manifest if manifest.files else None


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
    part, place = folder / f".{step_name(manifest.step)}.part", folder / step_name(manifest.step)
    if processes.first:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
    processes.wait()
    name, trouble = shard_name(processes), None
    try:
        save(shard, part / name)
    except (OSError, RuntimeError) as error:  # torch raises RuntimeError for a full disk
        trouble = error
    manifest = agreed(manifest, part / name, trouble, processes, str(folder))
    if processes.first:
        (part / MANIFEST).write_text(manifest.text())
        _flush(part / MANIFEST)
        shutil.rmtree(place, ignore_errors=True)
        os.replace(part, place)
        _flush(folder)
        _prune(folder, manifest.step, keep)
    processes.wait()
    return place


def agreed(manifest: Manifest, shard: Path, trouble: Exception | None, processes: Processes, place: str) -> Manifest:
    """The manifest with what every rank wrote. Raises `UsageError` on every rank when one of them met trouble."""
    told = (shard.name, -1 if trouble else shard.stat().st_size, str(trouble).partition("\n")[0] if trouble else None)
    files = processes.all(told)
    troubles = [word for *_, word in files if word]
    if troubles:
        raise UsageError(f"the checkpoint of step {manifest.step} could not be written to {place}: {troubles[0]}")
    return replace(manifest, files={name: size for name, size, _ in files})


def shard_name(processes: Processes, launch: str = "") -> str:
    """Name of this rank's part of a step; `launch` tells apart what several launches wrote."""
    return f"{SHARD}{processes.rank:05d}-of-{processes.world:05d}{launch and f'.{launch}'}.pt"


def step_name(step: int) -> str:
    """Name of a step's folder."""
    return f"step-{step:08d}"


def step_number(name: str) -> int | None:
    """What `step_name` was given; None for other names."""
    match = _STEP.fullmatch(name)
    return int(match[1]) if match else None


def write_frozen(folder: Path, state: Mapping[str, Tensor]) -> None:
    """Keep what the stage does not train."""
    save(state, folder / FROZEN)


def kept(steps: Iterable[int], written: int, keep: int, is_whole: Callable[[int], bool]) -> set[int]:
    """Which of a stage's steps stay: the newest `keep` whole ones up to the one just written; what has a later number is no whole step (`Shelf.step`)."""
    whole = (number for number in sorted(steps, reverse=True) if number == written or (number < written and is_whole(number)))
    return set(islice(whole, keep))


def _steps(folder: Path) -> list[tuple[int, Path]]:
    places = folder.iterdir() if folder.is_dir() else ()
    return [(number, place) for place in places if (number := step_number(place.name)) is not None]


def _manifest(place: Path) -> Manifest | None:
    try:
        manifest = Manifest.parsed((place / MANIFEST).read_text())
        whole = manifest is not None and all((place / name).stat().st_size == size for name, size in manifest.files.items())
    except (OSError, ValueError):  # absent or no text: no step either way
        return None
    return manifest if whole else None


def _prune(folder: Path, written: int, keep: int) -> None:
    """Remove all steps that are not kept, and the parts of those that were never written."""
    places = dict(_steps(folder))
    for number in places.keys() - kept(places, written, keep, lambda number: _manifest(places[number]) is not None):
        shutil.rmtree(places[number])
    for part in folder.glob(".step-*.part"):
        shutil.rmtree(part)


def save(state: Mapping[str, Any], file: Path) -> None:
    """Write tensors, numbers and words into a file that has its name once it is whole."""
    part = file.with_name(f".{file.name}.part")
    with open(part, "wb") as stream:
        torch.save(dict(state), stream)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(part, file)


def _flush(place: Path) -> None:
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
