"""One writing verb per lake at a time (law 12)."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import BusyError, UsageError
from schemas.place import Place


@contextmanager
def lease(place: Place, verb: str) -> Iterator[None]:
    """Hold the lake for `verb`. Raises `BusyError` when another verb holds it.

    The lock belongs to the process, so that a killed holder leaves nothing behind.
    """
    if not place.is_local:
        raise UsageError(f"{place.root}: lakes on an object store cannot be written by this version; use a folder")
    Path(place.root).mkdir(parents=True, exist_ok=True)
    handle = os.open(Path(place.root, ".lease"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 200).decode(errors="replace").strip() or "another process"
            raise BusyError(f"the lake {place.root} is busy: {holder} is writing; wait for it to end") from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{verb} (pid {os.getpid()} on {socket.gethostname()})\n".encode(), 0)
        yield
    finally:
        os.close(handle)
