"""A prefix of a store as a folder on this node: copied once under a lock, brought up to date when the store changes, bounded."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from schemas import storage
from schemas.errors import MissingError
from schemas.scratch import scratch_folder
from udfs.staging import KEPT_FREE_BYTES

MOST_COPIES = 4
"""Prefixes that one node keeps; the one used longest ago goes first."""
_NOTE = "copied.json"


def node_copy(uri: str, wanted: Callable[[str], bool] = lambda name: True) -> Path:
    """The local folder that holds the files below `uri` whose names (paths below it) are `wanted`, as they are in the store now.

    Raises `MissingError` when they do not fit on the disk. What is not there gives an empty folder.
    """
    source = storage.address(uri)
    root = scratch_folder() / "prefixes"
    root.mkdir(exist_ok=True)
    with open(root / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        place = root / hashlib.sha256(source.encode()).hexdigest()[:16]
        there = {file.uri.removeprefix(f"{source}/"): file for file in storage.listed(source)}
        there = {name: file for name, file in there.items() if wanted(name)}
        _bring(there, place)
        os.utime(place)
        copies = sorted((path for path in root.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime, reverse=True)
        for old in copies[MOST_COPIES:]:
            shutil.rmtree(old)
    return place / "files"


def _bring(there: dict[str, storage.Stored], place: Path) -> None:
    """Make the folder hold just these files."""
    note, files = place / _NOTE, place / "files"
    known = json.loads(note.read_text()) if note.exists() else {}
    wanted = {name: [file.bytes, file.modified_s] for name, file in there.items()}
    if known == wanted and files.is_dir():
        return
    files.mkdir(parents=True, exist_ok=True)
    note.unlink(missing_ok=True)
    for name in set(known) - set(wanted):
        (files / name).unlink(missing_ok=True)
    new = [name for name in wanted if known.get(name) != wanted[name]]
    needed = sum(there[name].bytes for name in new)
    if shutil.disk_usage(files).free - KEPT_FREE_BYTES < needed:
        raise MissingError(f"{needed >> 20} MiB from the store do not fit on the disk of {files}; give more room with TALKVID_SCRATCH")
    for name in new:
        target = files / name
        target.parent.mkdir(parents=True, exist_ok=True)
        half = target.with_name(f".{target.name[:100]}.half")
        storage.fetch(there[name].uri, half)
        half.replace(target)
    note.write_text(json.dumps(wanted))
