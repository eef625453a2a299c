"""A signal for the verb is one for the ranks: launchers would end them at once, or too soon for what is to be saved."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from schemas.errors import Interrupted

ANCESTORS = {"local": 1, "torchrun": 2, "deepspeed": 3, "spark": 2}
"""Processes from a rank up to the one without which it is not to go on: this process, or Spark's task."""
SAVING_S = 600
"""How long ranks may take to save after a signal."""
PATIENT = {"TORCH_ELASTIC_SHUTDOWN_TIMEOUT": str(SAVING_S)}
"""What torchrun reads: how long it waits for ranks that it has told to end."""
_MARK = b"--ancestors"


def stop_ranks(how: str) -> bool:
    """Ask the ranks below this process to save and end; False where none has been started yet."""
    line = {os.getpid()}
    parents = _parents()
    for _ in range(ANCESTORS[how]):
        line = {pid for pid, parent in parents.items() if parent in line}
    ranks = [pid for pid in line if _MARK in _words(pid)]
    for pid in ranks:
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            continue
    return bool(ranks)


@contextmanager
def stopping_ranks(how: str) -> Iterator[None]:
    """While this is open a signal goes to the ranks, what is done here goes on until they have ended, and then `Interrupted` is raised.

    It is raised at once where there are no ranks yet, and by a second signal.
    """
    got: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        got.append(number)
        if len(got) > 1 or not stop_ranks(how):
            raise Interrupted(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if got:
            raise Interrupted(got[0])


def _parents() -> dict[int, int]:
    """The parent of each process of this machine."""
    found = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            found[int(place.parent.name)] = int(place.read_bytes().rpartition(b")")[2].split()[1])
        except OSError:  # it ended meanwhile
            continue
    return found


def _words(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []
