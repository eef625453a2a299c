"""Weights in an object store: `$TALKVID_WEIGHTS` is a prefix, and each node keeps what it needs of it in a bounded folder.

A file is copied once per node, under the node's lock; `udfs.weights` checks its hash as everywhere. A process has a shared lock on each
copy that it was given for as long as it lives: such a copy is not dropped.
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
"""What the copies of one node may take together, of all prefixes; the entry that was used longest ago goes first. Only what living processes
use may be more."""
_SEEN, _USED, _HALF = ".seen.json", ".used", ".half"
_held: dict[Path, int] = {}
"""The locks of this process on copies that it was given."""


def prefix() -> str | None:
    """The prefix that `$TALKVID_WEIGHTS` names; None when it is a folder or not set."""
    named = os.environ.get("TALKVID_WEIGHTS") or ""
    return storage.address(named) if storage.is_remote(named) else None


def folder(store: str) -> Path:
    """This node's copies of a prefix."""
    return _root() / hashlib.sha256(store.encode()).hexdigest()[:16]


def _root() -> Path:
    """This node's copies of all prefixes."""
    return scratch_folder() / "weights"


def staged(store: str, name: str, file: str) -> Path:
    """The local copy of the entry `name`, a file or a folder called `file` below the prefix, and of its pin; copied when it is not here
    or another one in the store. It stays while this process lives. Raises `MissingError` when it does not fit on the disk."""
    here = folder(store)
    here.mkdir(parents=True, exist_ok=True)
    there = _there(store, file)
    with _locked(_root() / ".lock"):
        _hold(here / f".{name}{_USED}")
        seen = here / f".{name}{_SEEN}"
        known = {"file": file, "there": [[entry.uri, entry.bytes, entry.modified_s] for entry in there]}
        if not (here / file).exists() or not seen.exists() or json.loads(seen.read_text()) != known:
            _make_room(_root(), sum(entry.bytes for entry in there))
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
    half = here / f".{name}{_HALF}"
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


def _make_room(root: Path, wanted: int) -> None:
    """Drop what killed processes left half copied, then entries that no living process uses, those used longest ago first, until `wanted`
    bytes fit, in the bound and on the disk. Under the node's lock only."""
    for half in root.glob(f"*/.*{_HALF}"):
        shutil.rmtree(half)
    entries = sorted((path.stat().st_mtime, path) for path in root.glob(f"*/.*{_SEEN}"))
    while entries and (_taken(root) + wanted > MOST_BYTES or shutil.disk_usage(root).free - KEPT_FREE_BYTES < wanted):
        _, seen = entries.pop(0)
        if _in_use(seen.with_name(seen.name.removesuffix(_SEEN) + _USED)):
            continue
        place = seen.parent / json.loads(seen.read_text())["file"]
        shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
        seen.unlink()
    if shutil.disk_usage(root).free - KEPT_FREE_BYTES < wanted:
        raise MissingError(f"the weights of {wanted >> 20} MiB do not fit on the disk of {root}; give more room with TALKVID_SCRATCH")


def _hold(used: Path) -> None:
    if used not in _held:
        handle = os.open(used, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(handle, fcntl.LOCK_SH)
        _held[used] = handle


def _in_use(used: Path) -> bool:
    """True when a living process was given the copy, this one among them."""
    with open(used, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _taken(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
