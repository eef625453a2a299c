"""A cap on the memory of a Python worker: a process that passes it is killed, so that one clip costs a row and not the machine."""

import os
import signal
import sys
import threading
from pathlib import Path

CAP = "TALKVID_WORKER_MEMORY_BYTES"
"""The cap in bytes; children of a capped process have the same."""
LEAST_GIB = 6.0
TIMES = 3.0
"""A worker may take so many times what its stage is laid out for: the cap is against a runaway, not against a large picture."""
_LOOK_EVERY_S = 0.1
_given = os.environ.get(CAP)
_watch: threading.Thread | None = None


def cap_memory(worker_gib: float) -> None:
    """Cap this process, for a stage whose workers are laid out for `worker_gib` each; a reused worker has the cap of its newest stage.

    `$TALKVID_WORKER_MEMORY_BYTES`, where it is set from outside, has the last word.
    """
    os.environ[CAP] = _given or str(int(max(LEAST_GIB, TIMES * worker_gib) * 2**30))
    keep_cap()


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
