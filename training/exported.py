"""Finding and describing a trained model: the five official files, and `model.json` beside them where this project wrote them."""

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas import storage
from schemas.errors import MissingError, UsageError
from training.model import official
from training.model.config import FULL, ModelConfig
from training.stages import MODELS
from udfs.node_copies import node_copy

NOTE = "model.json"
MODEL_FOLDER = "model"
FROZEN = "frozen.pt"
_KINDS = {"model": str, "stage": int, "step": int, "random": bool, "fingerprint": str, "bytes": dict}
"""Of what `NOTE` says."""


@dataclass(frozen=True)
class Exported:
    """A model on disk. `stage` and `step` are None where nothing says them; `fingerprint` begins with `random:` when `random`: weights that began at random."""

    folder: Path
    config: ModelConfig
    step: int | None
    fingerprint: str
    random: bool
    stage: int | None = None


def find(path: str | os.PathLike[str]) -> Exported:
    """The model at `path`: what `train --output` wrote (the whole output: its last stage; one stage; its `model` folder), or a folder in the official
    layout (the five files, or a `v-express` folder with them). A prefix in a store is copied to this node first.

    Raises `MissingError` where there is none, `UsageError` for files that do not go together.
    """
    remote = storage.is_remote(path)
    place = node_copy(os.fspath(path), _of_a_model) if remote else Path(path).expanduser()
    for folder in _places(place):
        if official.find(folder, "denoising_unet") is not None:
            return _described(folder)
    raise MissingError(f"{path if remote else place} holds no trained model: neither model/denoising_unet.bin nor a folder in the official layout")


def describe(folder: Path, *, model: str, stage: int, step: int, random: bool, snapshot_version: int | None = None) -> Exported:
    """Write `model.json` beside the five files; the model counts as complete from then on."""
    fingerprint = f"{'random:' if random else ''}vexpress-{_digest(folder)[:16]}"
    record = {"model": model, "stage": stage, "step": step, "random": random, "fingerprint": fingerprint, "snapshot_version": snapshot_version}
    record["bytes"] = {file.name: file.stat().st_size for file in _files(folder)}
    part = folder / f".{NOTE}.part"
    part.write_text(json.dumps(record, indent=1) + "\n")
    os.replace(part, folder / NOTE)
    return Exported(folder, MODELS[model], step, fingerprint, random, stage)


def stage_of(path: str) -> int | None:
    """The stage that a model has been through; None where nothing says it. Reads no weights where a note is. Raises as `find`."""
    note = note_of(path)
    return find(path).stage if note is None else int(note["stage"])


def note_of(stage: str) -> dict[str, Any] | None:
    """What `model.json` says of the model of a stage, a folder or a prefix in a store; None where no whole model is. Reads no weights.

    Raises `UsageError` where it is damaged.
    """
    model = storage.at(stage, MODEL_FOLDER)
    text = storage.read_bytes(storage.at(model, NOTE))
    record = None if text is None else _record(text, storage.at(model, NOTE))
    whole = record is not None and all(storage.size(storage.at(model, name)) == size for name, size in record["bytes"].items())
    return record if whole else None


def _record(text: bytes, place: str | Path) -> dict[str, Any]:
    """What a note says. Raises `UsageError` for anything else than a whole one."""
    try:
        record = json.loads(text)
    except ValueError:
        record = None
    if not isinstance(record, dict) or not all(isinstance(record.get(name), kind) for name, kind in _KINDS.items()) or record["model"] not in MODELS:
        raise UsageError(f"{place} is damaged; remove it, and run talkvid train with the same --output to have the model exported again")
    return record


def _of_a_model(name: str) -> bool:
    """True for files that a model may need, of all that lies below an output: steps and metrics are left there."""
    return not name.startswith("step-") and "/step-" not in name and not name.endswith(FROZEN) and "events.out" not in name


def _places(place: Path) -> list[Path]:
    stages = [folder for folder in place.glob("*/model") if (folder / NOTE).is_file()]
    return [place, place / MODEL_FOLDER, place / "v-express", *sorted(stages, key=_rank, reverse=True)]


def _rank(folder: Path) -> tuple[int, float]:
    """Later stages first; of one stage the folder written last."""
    note = folder / NOTE
    return int(_record(note.read_bytes(), note)["stage"]), note.stat().st_mtime


def _described(folder: Path) -> Exported:
    note = folder / NOTE
    if not note.is_file():
        steps = [int(match[1]) for file in _files(folder) if (match := re.fullmatch(r"denoising_unet-(\d+)", file.stem))]
        return Exported(folder, FULL, max(steps, default=None), f"vexpress-{_digest(folder)[:16]}", False)
    record = _record(note.read_bytes(), note)
    torn = [name for name, size in record["bytes"].items() if not (folder / name).is_file() or (folder / name).stat().st_size != size]
    if torn:
        raise UsageError(f"{folder} is not whole: {torn[0]} is not as {NOTE} says; export it again")
    return Exported(folder, MODELS[record["model"]], record["step"], record["fingerprint"], record["random"], record["stage"])


def _files(folder: Path) -> list[Path]:
    """The files that count, one per network: those that `official.load` takes."""
    return [file for name in official.FILES if (file := official.find(folder, name)) is not None]


def _digest(folder: Path) -> str:
    """Hash over the names of the networks and their files' bytes."""
    whole = hashlib.sha256()
    for file in _files(folder):
        with open(file, "rb") as stream:
            whole.update(f"{re.split(r'[-.]', file.name)[0]}={hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()
