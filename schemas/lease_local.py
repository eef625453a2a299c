"""The lease of a lake in a folder: a lock that the operating system takes back from a process that is gone."""

import fcntl
import os
import socket
from pathlib import Path

from schemas.errors import BusyError
from schemas.path_errors import refusal


class LocalLease:
    """A lease that is held. Raises `BusyError` when another process holds it, `UsageError` or `MissingError` where no folder can be made or written."""

    generation = 0
    taken_over = False

    def __init__(self, root: str, verb: str) -> None:
        try:
            Path(root).mkdir(parents=True, exist_ok=True)
            self._handle = os.open(Path(root, ".lease"), os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise refusal(error, f"--lake {root} can hold no lake") from None
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._handle, 200).decode(errors="replace").strip() or "another process"
            os.close(self._handle)
            raise BusyError(f"the lake {root} is busy: {holder} is writing; wait for it to end") from None
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{verb} (pid {os.getpid()} on {socket.gethostname()})\n".encode(), 0)

    def check(self) -> None:
        """The lock cannot be lost."""

    def release(self) -> None:
        """Give the lock back."""
        os.close(self._handle)
