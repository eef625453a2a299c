"""Weights in an object store: `$TALKVID_WEIGHTS` is a prefix, and each node keeps what it needs of it in a bounded folder.

A file is copied once per node, under a lock that all its processes share; `udfs.weights` checks its hash as everywhere.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from schemas import storage
from schemas.errors import MissingError
from schemas.scratch import scratch_folder
from udfs.staging import KEPT_FREE_BYTES

MOST_BYTES = 40 << 30
"""What the copies of one node may take together; the entry that was used longest ago goes first."""
_SEEN = ".seen.json"


def prefix() -> str | None:
    """The prefix that `$TALKVID_WEIGHTS` names; None when it is a folder or not set."""
    named = os.environ.get("TALKVID_WEIGHTS") or ""
    return storage.address(named) if storage.is_remote(named) else None


def folder(store: str) -> Path:
    """This node's copies of a prefix."""
    return scratch_folder() / "weights" / hashlib.sha256(store.encode()).hexdigest()[:16]


def staged(store: str, name: str, file: str) -> Path:
    """The local copy of the entry `name`, a file or a folder called `file` below the prefix, and of its pin; copied when it is not here
    or another one in the store. Raises `MissingError` when it does not fit on the disk."""
    here = folder(store)
    here.mkdir(parents=True, exist_ok=True)
    with _locked(here / f".{name}.lock"):
        there = _there(store, file)
        seen = here / f".{name}{_SEEN}"
        known = {"file": file, "there": [[entry.uri, entry.bytes, entry.modified_s] for entry in there]}
        if not (here / file).exists() or not seen.exists() or json.loads(seen.read_text()) != known:
            _make_room(here, sum(entry.bytes for entry in there), keep=name)
            _copy(store, here, name, file, there)
            seen.write_text(json.dumps(known))
        os.utime(seen)
    return here / file


def has(store: str, file: str) -> bool:
    """True when the prefix holds the file, or a folder of that name with something in it."""
    return bool(_there(store, file))


def put(store: str, name: str, file: str) -> None:
    """Put this node's copy of an entry, then its pin, under the prefix."""
    here = folder(store)
    local = here / file
    for path in sorted(local.iterdir()) if local.is_dir() else [local]:
        storage.put_file(path, storage.at(store, str(path.relative_to(here))))
    storage.put_file(here / f"{name}.json", storage.at(store, f"{name}.json"))
    _there.cache_clear()


@lru_cache(maxsize=256)
def _there(store: str, file: str) -> tuple[storage.Stored, ...]:
    """The entry's files in the store; asked once per process."""
    place = storage.at(store, file)
    return tuple(entry for entry in storage.listed(store) if entry.uri == place or entry.uri.startswith(place + "/"))


def _copy(store: str, here: Path, name: str, file: str, there: tuple[storage.Stored, ...]) -> None:
    """Copy an entry beside its place, then move it there whole."""
    half = here / f".{name}.half"
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    for entry in there:
        target = half / entry.uri.removeprefix(store + "/")
        target.parent.mkdir(parents=True, exist_ok=True)
        storage.fetch(entry.uri, target)
    pin = storage.read_bytes(storage.at(store, f"{name}.json"))
    if pin is not None:
        (here / f"{name}.json").write_bytes(pin)
    if (here / file).is_dir():
        shutil.rmtree(here / file)
    if (half / file).exists():
        os.replace(half / file, here / file)
    shutil.rmtree(half)


def _make_room(here: Path, wanted: int, keep: str) -> None:
    """Drop entries that were used longest ago until `wanted` bytes fit, in the bound and on the disk."""
    entries = sorted((path.stat().st_mtime, path) for path in here.glob(f".*{_SEEN}") if path.name != f".{keep}{_SEEN}")
    while entries and (_taken(here) + wanted > MOST_BYTES or shutil.disk_usage(here).free - KEPT_FREE_BYTES < wanted):
        _, seen = entries.pop(0)
        place = here / json.loads(seen.read_text())["file"]
        shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
        seen.unlink()
    if shutil.disk_usage(here).free - KEPT_FREE_BYTES < wanted:
        raise MissingError(f"the weights of {wanted >> 20} MiB do not fit on the disk of {here}; give more room with TALKVID_SCRATCH")


def _taken(here: Path) -> int:
    return sum(path.stat().st_size for path in here.rglob("*") if path.is_file())


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
