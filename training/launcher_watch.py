"""A rank that Spark started ends when the task that started it does.

Spark kills the task's Python process when another rank is lost. torchrun, its child, and the rank, torchrun's, live on: waiting for the lost
one, and holding GPU and memory that the next launch needs (cluster.md §4).
"""

import os
import signal
import threading
import time
from pathlib import Path

EVERY_S = 1.0


def end_with_launcher() -> None:
    """Watch this process's parent and that one's parent; when either is gone, kill this process, and the parent if it is left."""
    parent = os.getppid()
    grandparent = _parent(parent)

    def watch() -> None:
        while os.getppid() == parent and _parent(parent) == grandparent:
            time.sleep(EVERY_S)
        if os.getppid() == parent:
            os.kill(parent, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="talkvid-launcher-watch", daemon=True).start()


def _parent(pid: int) -> int:
    """Parent of a process; -1 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return -1
