"""A rank ends when what started it does.

Spark kills a task's Python process when another rank is lost, and a verb may be killed. torchrun and the ranks below live on: waiting for the
lost one, holding GPU and memory that the next launch needs, writing into the folder in which that one trains (cluster.md §4).
"""

import os
import signal
import threading
import time
from pathlib import Path

EVERY_S = 1.0


def end_with_launcher(ancestors: int) -> None:
    """Watch so many processes above this one, which must be each other's parents: when one is gone, those below it and this one are killed."""
    line = [os.getppid()]
    while len(line) < ancestors:
        line.append(_parent(line[-1]))

    def watch() -> None:
        while (left := _left(line)) is None:
            time.sleep(EVERY_S)
        for pid in [*left, os.getpid()]:
            os.kill(pid, signal.SIGKILL)

    threading.Thread(target=watch, name="talkvid-launcher-watch", daemon=True).start()


def _left(line: list[int]) -> list[int] | None:
    """Who lives on below an ancestor that is gone, the uppermost first; None when all are there."""
    for number, (below, above) in enumerate(zip([os.getpid(), *line], line)):
        if _parent(below) != above:
            return line[:number][::-1]
    return None


def _parent(pid: int) -> int:
    """Parent of a process; -1 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
    except OSError:
        return -1
