"""A cap on the memory of a Python worker: a process that passes it is killed, so that one clip costs a row, not the container or the machine.

Workers of an executor share what it has. A manager that finds its container too large kills all of them, and the isolated retry of a task
comes to lie in a container as small as the first. So a worker that runs away has to end first, by itself, while the others hold all that
their stage is laid out for: its cap is what the executor has for Python, less that for each of the others (`cap_gib`).
"""

import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CAP = "TALKVID_WORKER_MEMORY_BYTES"
"""The cap in bytes; children of a capped process have the same."""
LEAST_GIB = 6.0
TIMES = 3.0
"""A worker may take so many times what its stage is laid out for: the cap is against a runaway, not against a large picture."""
OUTSIDE_GIB = 0.5
"""Of an executor's memory outside the heap: what its JVM takes there, and the process that waits for an isolated one."""
CONTAINER_LIMITS: Sequence[Path] = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where a process sees the memory limit of its container: version 2 of control groups, and version 1."""
LEAST_KNOWN_GIB = 1.0
"""What is taken to be there for Python where the heap alone seems to fill a container: heaps are rarely full."""
_NO_LIMIT_BYTES = 1 << 60
_LOOK_EVERY_S = 0.1
_given = os.environ.get(CAP)
_watch: threading.Thread | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """What Python workers share: `workers` run at once on an executor and may take `python_gib` together (None: nobody said); its JVM, with
    a heap of up to `heap_gib`, lies in the same container."""

    workers: int = 1
    python_gib: float | None = None
    heap_gib: float = 0.0


ALONE = Room()
"""Of a worker of which nothing is known."""


def cap_memory(worker_gib: float, room: Room = ALONE) -> None:
    """Cap this process, for a stage whose workers are laid out for `worker_gib` each and share `room`; a reused worker has the cap of its
    newest stage.

    `$TALKVID_WORKER_MEMORY_BYTES`, where it is set from outside, has the last word.
    """
    os.environ[CAP] = _given or str(int(cap_gib(worker_gib, room, container_gib()) * 2**30))
    keep_cap()


def cap_gib(worker_gib: float, room: Room, container: float | None) -> float:
    """What a worker may take: `TIMES` of what it is laid out for, at least `LEAST_GIB`.

    Where it is known what all workers of the executor may take together (said, or the container's limit less the heap, whichever is less), no
    more than that less `OUTSIDE_GIB` and `worker_gib` for each of the others; but always as much as it is laid out for, if the executor has that.
    """
    most = max(LEAST_GIB, TIMES * worker_gib)
    bounds = [room.python_gib] if room.python_gib is not None else []
    bounds += [container - room.heap_gib] if container is not None else []
    if not bounds:
        return most
    together = max(LEAST_KNOWN_GIB, min(bounds))
    left = together - OUTSIDE_GIB - (room.workers - 1) * worker_gib
    return min(most, max(left, min(worker_gib, together)))


def container_gib() -> float | None:
    """The memory limit of the container that this process is in; None without one."""
    for file in CONTAINER_LIMITS:
        text = file.read_text().strip() if file.exists() else ""
        if text.isdigit() and int(text) < _NO_LIMIT_BYTES:
            return int(text) / 2**30
    return None


def keep_cap() -> None:
    """Watch this process from now on, if a cap is set; once a process."""
    global _watch
    if CAP in os.environ and (_watch is None or not _watch.is_alive()):
        _watch = threading.Thread(target=_look, name="memory-cap", daemon=True)
        _watch.start()


def _look() -> None:
    ended = threading.Event()
    while not ended.wait(_LOOK_EVERY_S):
        taken, cap = own_bytes(), int(os.environ[CAP])
        if taken > cap:
            print(f"a worker took {taken >> 20} MiB, more than its cap of {cap >> 20} MiB, and is ended", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)


def own_bytes() -> int:
    """Memory that is this process's alone: what it has mapped from files, weights for example, does not count."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) << 10
    return 0
