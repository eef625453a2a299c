"""Processes of a running verb, as Linux shows them: who is there to be killed, and how many CPU seconds they took."""

import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
LOOK_EVERY_S = 0.2
DECODERS = ("ffmpeg", "ffprobe")
DAEMON = "pyspark.daemon"


@dataclass(frozen=True)
class Seen:
    """A process at one moment: CPU seconds of its own, and of the children that it waited for. `born` tells two of one pid apart."""

    pid: int
    parent: int
    name: str
    command: str
    own_s: float
    waited_s: float
    born: int


def all_processes() -> dict[int, Seen]:
    """Every living process by pid."""
    found = (_seen(int(entry)) for entry in os.listdir("/proc") if entry.isdigit())
    return {process.pid: process for process in found if process is not None}


def _seen(pid: int) -> Seen | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes().decode(errors="replace")
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (OSError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    own, waited = (sum(map(int, fields[at : at + 2])) / TICKS for at in (11, 13))
    return Seen(pid, int(fields[1]), stat[stat.index("(") + 1 : stat.rindex(")")], command, own, waited, int(fields[19]))


def below(everything: dict[int, Seen], roots: Iterable[int]) -> dict[int, Seen]:
    """The roots that live, and all their descendants."""
    children: dict[int, list[int]] = {}
    for process in everything.values():
        children.setdefault(process.parent, []).append(process.pid)
    found, waiting = {}, list(roots)
    while waiting:
        pid = waiting.pop()
        if pid in everything and pid not in found:
            found[pid] = everything[pid]
            waiting += children.get(pid, [])
    return found


def is_worker(process: Seen, everything: dict[int, Seen]) -> bool:
    """A Python worker of Spark's, its daemon's child; or a rank of a training, or one of its loaders."""
    parent = everything.get(process.parent)
    if DAEMON in process.command:
        return parent is not None and DAEMON in parent.command
    return "-m training.train" in process.command or "multiprocessing.spawn" in process.command


def is_decoder(process: Seen, everything: dict[int, Seen]) -> bool:
    """ffmpeg or ffprobe."""
    return process.name in DECODERS


def is_executor(process: Seen, everything: dict[int, Seen]) -> bool:
    """A Java machine that is an executor on a cluster."""
    return process.name == "java" and "CoarseGrainedExecutorBackend" in process.command


class Watch:
    """Looks at the processes of a verb a few times a second while it is open.

    `cpu_s`: what they took, those included that are gone; a process's last fifth of a second may be missing. Spark's daemon forgets the times of its
    workers, so these are counted one by one, each with the decoders that it waited for.
    """

    def __init__(self, look: Callable[[], dict[int, Seen]], told: Callable[[dict[int, Seen]], None] = lambda seen: None) -> None:
        self._look, self._told = look, told
        self._last: dict[tuple[int, int], float] = {}
        self._error: Exception | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    @property
    def cpu_s(self) -> float:
        """CPU seconds so far."""
        return sum(self._last.values())

    def _go_on(self) -> None:
        try:
            while not self._ended.is_set():
                started = time.monotonic()
                self._count(self._look())
                self._ended.wait(max(0.02, LOOK_EVERY_S - (time.monotonic() - started)))
        except Exception as error:  # noqa: BLE001 - raised where the watch was begun
            self._error = error

    def _count(self, seen: dict[int, Seen]) -> None:
        for process in seen.values():
            if process.name not in DECODERS and "udfs.isolation" not in process.command:
                forgotten = DAEMON in process.command and is_worker(process, seen)
                self._last[process.pid, process.born] = process.own_s + (process.waited_s if forgotten else 0.0)
        self._told(seen)
