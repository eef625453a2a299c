"""Checkpoints of ranks that share no folder: each puts its part into a store, the manifest goes last (cluster.md §9).

Below the stage's prefix lies what lies in a stage's folder elsewhere. A step without its manifest, or whose files are not as long as that
says, does not exist. Names of shards carry the launch that wrote them, and only the newest launch may write a manifest: ranks that a lost
node left behind can overwrite nothing. Each node keeps copies in a folder of its own, which its ranks share.
"""

import fcntl
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

from torch import Tensor

from schemas import storage
from schemas.errors import MissingError, TalkvidError
from schemas.scratch import scratch_folder
from training import checkpoints, exported
from training.checkpoints import FROZEN, MANIFEST, Manifest, Step
from training.processes import Processes
from training.running import COPIES, hold
from training.shelf import Shelf
from training.stage_files import CONFIG, LAUNCH, SNAPSHOT

METRICS_EVERY_S = 30.0
SAME_TIME_S = 1e-3
FORGOTTEN_S = 7 * 86400.0
"""Copies that no rank has touched for so long are removed: their run was lost, or went on on other nodes."""


class Found(NamedTuple):
    """A whole step: the address of its folder, and what it says."""

    place: str
    manifest: Manifest

    @property
    def stage(self) -> str:
        """Address of the stage's folder."""
        return self.place.rpartition("/")[0]


def newest(stage: str) -> Found | None:
    """The last whole step of a stage, in a folder or a store; None when there is none."""
    there = listed(stage)
    for _, name in sorted(steps(there), reverse=True):
        manifest = _whole(stage, name, there)
        if manifest is not None:
            return Found(storage.at(stage, name), manifest)
    return None


def found(place: str) -> Found:
    """The step that a user means: its address, or the newest of a stage's. Raises `MissingError`."""
    stage, _, name = place.rstrip("/").rpartition("/")
    if checkpoints.step_number(name) is None:
        step = newest(place.rstrip("/"))
    else:
        manifest = _whole(stage, name, listed(stage))
        step = None if manifest is None else Found(storage.at(stage, name), manifest)
    if step is None:
        raise MissingError(f"{place} is no whole checkpoint")
    return step


def listed(stage: str) -> dict[str, storage.Stored]:
    """Files of a stage by their names below it."""
    return {file.uri.removeprefix(f"{stage}/"): file for file in storage.listed(stage)}


def steps(names: Iterable[str]) -> set[tuple[int, str]]:
    """Steps of which there is any file."""
    tops = {name.partition("/")[0] for name in names}
    return {(number, top) for top in tops if (number := checkpoints.step_number(top)) is not None}


def _whole(stage: str, step: str, there: Mapping[str, storage.Stored]) -> Manifest | None:
    if f"{step}/{MANIFEST}" not in there:
        return None
    manifest = Manifest.parsed(storage.read_bytes(storage.at(stage, step, MANIFEST)) or b"")
    lengths = {name: file.bytes for name, file in there.items()}
    whole = manifest is not None and all(lengths.get(f"{step}/{name}") == size for name, size in manifest.files.items())
    return manifest if whole else None


@dataclass
class StoreShelf(Shelf):
    """The stage at `uri`; `folder` holds this node's copies. `launch` is the name of the launch that this rank is part of, `held` says on
    this node that it lives."""

    uri: str
    launch: str = ""
    held: IO[str] | None = None
    _sent: dict[str, int] = field(default_factory=dict)
    _shared_s: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, uri: str, launch: str = "") -> "StoreShelf":
        """The shelf of a stage, with its copies in this node's scratch folder."""
        scratch = scratch_folder()
        _forget(scratch)
        folder = scratch / f"{COPIES}{hashlib.sha256(uri.encode()).hexdigest()[:16]}" / uri.rpartition("/")[2]
        return cls(folder, uri, launch, hold(folder))

    @property
    def place(self) -> str:
        """As `Shelf.place`, in the store."""
        return self.uri

    def ready(self, rank: int) -> None:
        """As `Shelf.ready`; brought here from the store, an outdated copy of this rank's metrics goes."""
        there, own = listed(self.uri), _own_metrics(rank)
        if own not in there:
            (self.folder / own).unlink(missing_ok=True)
        self._bring([name for name in (CONFIG, SNAPSHOT, own) if name in there], there)

    def _chosen(self, resume: str) -> str | None:
        step = newest(self.uri) if resume == "auto" else None if resume == "never" else found(storage.address(resume))
        return None if step is None else step.place

    def _newest(self) -> str | None:
        step = newest(self.uri)
        return None if step is None else step.place

    def opened(self, place: str) -> Step:
        """As `Shelf.opened`; its files are brought here. Raises `MissingError` for one that is not whole."""
        stage, _, name = place.rpartition("/")
        if stage != self.uri:
            return StoreShelf.of(stage).opened(place) if storage.is_remote(stage) else checkpoints.opened(Path(place))
        there = listed(self.uri)
        manifest = _whole(self.uri, name, there)
        if manifest is None:
            raise MissingError(f"{place} is no whole checkpoint")
        self._bring([*(f"{name}/{shard}" for shard in manifest.files), *([FROZEN] if FROZEN in there else [])], there)
        return Step(self.folder / name, manifest)

    def write(self, manifest: Manifest, shard: Mapping[str, Any], processes: Processes, keep: int) -> None:
        """As `Shelf.write`; whole once the first rank has put its manifest. Raises `TalkvidError` too, on every rank, when another launch has begun."""
        name, trouble = checkpoints.step_name(manifest.step), None
        here = self.folder / name / checkpoints.shard_name(processes, self.launch)
        try:
            here.parent.mkdir(parents=True, exist_ok=True)
            checkpoints.save(shard, here)
            self._put(f"{name}/{here.name}")
            self.share_metrics(processes.rank)
        except (TalkvidError, OSError, RuntimeError) as error:  # torch raises RuntimeError for a full disk
            trouble = error
        manifest = checkpoints.agreed(manifest, here, trouble, processes, self.uri)
        kept: set[int] = set()
        if processes.first:
            try:
                kept = self._finish(name, manifest, keep)
            except TalkvidError as error:
                trouble = error
        kept, trouble = processes.from_first((kept, trouble))
        if trouble is not None:
            raise trouble
        for number, copy in steps(path.name for path in self.folder.iterdir()):
            if number not in kept:
                shutil.rmtree(self.folder / copy, ignore_errors=True)

    def _finish(self, name: str, manifest: Manifest, keep: int) -> set[int]:
        """Make a step whose files are all there whole, and take away what is not kept; returns the steps that are."""
        now = (storage.read_bytes(storage.at(self.uri, LAUNCH)) or b"").decode()
        if now != self.launch:
            raise TalkvidError(f"another training of {self.uri} was begun meanwhile: this one ends, that one goes on")
        storage.put_bytes(manifest.text().encode(), storage.at(self.uri, name, MANIFEST))
        there = listed(self.uri)
        names = dict(steps(there))
        kept = checkpoints.kept(names, manifest.step, keep, lambda number: _whole(self.uri, names[number], there) is not None)
        for number in names.keys() - kept:
            storage.delete(storage.at(self.uri, names[number], MANIFEST))
            storage.delete_below(storage.at(self.uri, names[number]))
        for left in there:
            if left.startswith(f"{name}/") and left.partition("/")[2] not in {*manifest.files, MANIFEST}:
                storage.delete(storage.at(self.uri, left))
        return kept

    def keep_frozen(self, state: Mapping[str, Tensor]) -> None:
        """As `Shelf.keep_frozen`."""
        super().keep_frozen(state)
        self._put(FROZEN)

    def share_metrics(self, rank: int, *, due: bool = False) -> None:
        """As `Shelf.share_metrics`; with `due` a store that is away is told of and tried again later."""
        if due and time.monotonic() - self._shared_s < METRICS_EVERY_S:
            return
        names = [_own_metrics(rank), *(path.name for path in self.folder.glob("events.*") if rank == 0)]
        try:
            for name in names:
                told = (self.folder / name).read_bytes() if (self.folder / name).is_file() else b""
                if told and self._sent.get(name) != len(told):
                    storage.put_bytes(told, storage.at(self.uri, name))
                    self._sent[name] = len(told)
        except TalkvidError as error:
            if not due:
                raise
            print(f"training: metrics could not be put into {self.uri}: {error}; it is tried again", file=sys.stderr, flush=True)
        self._shared_s = time.monotonic()

    def share_model(self) -> None:
        """As `Shelf.share_model`; its note goes up last."""
        note = f"{exported.MODEL_FOLDER}/{exported.NOTE}"
        storage.delete(storage.at(self.uri, note))
        files = (path for path in (self.folder / exported.MODEL_FOLDER).iterdir() if path.name != exported.NOTE)
        for name in [*(f"{exported.MODEL_FOLDER}/{path.name}" for path in files), note]:
            self._put(name)

    def clear(self, processes: Processes) -> None:
        """As `Shelf.clear`."""
        processes.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):  # another rank removed it, or another stage of this output is being trained
            self.folder.parent.rmdir()

    def _put(self, name: str) -> None:
        storage.put_file(self.folder / name, storage.at(self.uri, name))

    def _bring(self, names: Iterable[str], there: Mapping[str, storage.Stored]) -> None:
        """Have these files here as they are in the store. A copy has the time that the store tells; shards never change."""
        with self._locked():
            for name in names:
                target, source = self.folder / name, there[name]
                if _is_copy(target, source):
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                half = target.with_name(f".{target.name}.half")
                storage.fetch(source.uri, half)
                os.utime(half, (source.modified_s, source.modified_s))
                half.replace(target)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One rank of this node at a time; the others find what it fetched."""
        with open(self.folder / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _forget(scratch: Path) -> None:
    for left in scratch.glob(f"{COPIES}*"):
        with suppress(FileNotFoundError):  # another rank is at it too
            touched = max(path.stat().st_mtime for path in (left, *left.rglob("*")))
            if time.time() - touched > FORGOTTEN_S:
                shutil.rmtree(left)


def _is_copy(path: Path, source: storage.Stored) -> bool:
    if not path.is_file() or path.stat().st_size != source.bytes:
        return False
    return path.name.startswith(checkpoints.SHARD) or abs(path.stat().st_mtime - source.modified_s) < SAME_TIME_S


def _own_metrics(rank: int) -> str:
    return f"seen/rank-{rank:05d}.jsonl"
