"""Whether a training uses a node's copies of its stage: each of its ranks holds them as long as it lives."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from os import fstat
from pathlib import Path
from typing import IO

COPIES = "train-"
"""How the names of folders with copies begin in a machine's scratch folder; a stage's lie one below."""
_MARK = ".ranks"


def hold(folder: Path) -> IO[str]:
    """Make a folder of copies, and hold it until the answer is closed or the process ends, however it does."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            mark = open(folder / _MARK, "a")  # noqa: SIM115 (closed by whoever asked)
        except FileNotFoundError:  # what a lost training left was removed just now
            continue
        fcntl.flock(mark, fcntl.LOCK_SH)
        if fstat(mark.fileno()).st_nlink:
            return mark
        mark.close()


@contextmanager
def not_running(folder: Path) -> Iterator[bool]:
    """Whether no rank holds these copies; then none does before the block ends."""
    try:
        mark = open(folder / _MARK, "a")  # noqa: SIM115 (closed below)
    except FileNotFoundError:
        yield False
        return
    with mark:
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
