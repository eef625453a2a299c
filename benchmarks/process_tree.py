"""CPU seconds of a program and of everything it starts, also of what outlives it (Linux)."""

import ctypes
import os
import resource
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

import psutil

_PR_SET_CHILD_SUBREAPER = 36
_LOOK_EVERY_S = 0.2


def cpu_seconds_of(command: Sequence[str]) -> float:
    """Run a program to its end, then wait for all it left behind; user + system seconds of all of them.

    Orphans come to this process instead of to init, so that a Java machine that ends after its driver is counted too. The kernel
    forgets the times of children whose parent ignores their death, as Spark's Python daemon does: those are looked at while they
    live. Raises `CalledProcessError` when the program fails. Nothing else may be running as a child of this process.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with _Forgotten() as forgotten:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        while True:
            try:
                forgotten.remembered(os.wait()[0])
            except ChildProcessError:
                break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime + forgotten.total_s


class _Forgotten:
    """Looks, a few times a second, at descendants whose parent ignores the death of children."""

    def __init__(self) -> None:
        self._seen: dict[int, float] = {}
        self._counted: set[int] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "_Forgotten":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def total_s(self) -> float:
        """Their CPU seconds, those of their own children included."""
        return sum(seconds for pid, seconds in self._seen.items() if pid not in self._counted)

    def remembered(self, pid: int) -> None:
        """This one was waited for after all, so its times are not lost."""
        self._counted.add(pid)

    def _look(self) -> None:
        while not self._ended.wait(_LOOK_EVERY_S):
            for process in psutil.Process().children(recursive=True):
                try:
                    if _ignores_children(process.ppid()):
                        self._seen[process.pid] = sum(process.cpu_times()[:4])
                except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
                    continue


def _ignores_children(pid: int) -> bool:
    """Whether a process ignores SIGCHLD."""
    mask = next(line.split()[1] for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigIgn:"))
    return bool(int(mask, 16) >> (signal.SIGCHLD - 1) & 1)
