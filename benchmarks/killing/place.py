"""Where verbs run and are struck: what a place on this machine and one on a cluster have in common, and the one on this machine."""

import os
import shutil
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.killing.processes import Seen, all_processes, below, is_decoder, is_executor, is_worker
from benchmarks.killing.stages import Inputs, words

SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Options of Java that halve what its start costs; runs are short, and there are many."""
DYING_S = 60.0
"""How long what a killed driver started may outlive it."""
FITS: dict[str, Callable[[Seen, dict[int, Seen]], bool]] = {"executor": is_executor, "worker": is_worker, "ffmpeg": is_decoder}
"""Kinds of victims that are processes of a running verb."""


@dataclass
class Strike:
    """Something was struck; what was taken away comes back by `heal`, at the moment `heals_at` (of the monotonic clock) or at the end."""

    victim: str
    heal: Callable[[], None] = lambda: None
    heals_at: float = 0.0
    healed: bool = False

    def tend(self, over: bool = False) -> None:
        """Give back what it is time to give back."""
        if not self.healed and (over or time.monotonic() >= self.heals_at):
            self.healed = True
            self.heal()


@dataclass
class Place(ABC):
    """A folder `root` of its own with `work`, which the stages fill and which is saved and restored as a whole; one verb runs at a time."""

    root: Path
    inputs: Inputs
    name: str = ""
    kinds: tuple[str, ...] = ()
    launcher: str = "local"
    _verb: subprocess.Popen | None = None
    _known: dict[int, int] = field(default_factory=dict)
    """Processes of the verb that were seen, pid to birth."""

    @property
    @abstractmethod
    def work(self) -> Path:
        """The folder."""

    @abstractmethod
    def _popen(self, command: Sequence[str], log: Path) -> subprocess.Popen:
        """Start a verb, given as words of `talkvid`; what it prints goes to `log`."""

    @property
    def address(self) -> str:
        """`work` as verbs name it."""
        return str(self.work)

    @property
    def scratch(self) -> Path:
        """For staged copies; emptied with every restore."""
        return self.root / "scratch"

    @property
    def environment(self) -> dict[str, str]:
        """What verbs see besides this process's own."""
        return {"TALKVID_SCRATCH": str(self.scratch), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "JAVA_TOOL_OPTIONS": SHORT_LIVED}

    def start(self, stage: str, log: Path) -> subprocess.Popen:
        """Start a stage's verb."""
        self._known = {}
        self.scratch.mkdir(parents=True, exist_ok=True)
        self._verb = self._popen(words(stage, self.inputs, self.address, self.launcher), log)
        return self._verb

    def look(self) -> dict[int, Seen]:
        """The verb's processes, also those whose parents are gone."""
        assert self._verb is not None
        everything = all_processes()
        left = [pid for pid, born in list(self._known.items()) if pid in everything and everything[pid].born == born]
        return self._noted(below(everything, [self._verb.pid, *left]))

    def _noted(self, found: dict[int, Seen]) -> dict[int, Seen]:
        for pid, process in found.items():
            self._known[pid] = process.born
        return found

    def victims(self, kind: str, seen: dict[int, Seen]) -> list[str]:
        """Names of what could be struck at this moment: pids, or whatever `_strike` of the place understands."""
        assert self._verb is not None
        if kind == "driver":
            return [str(self._verb.pid)] if self._verb.poll() is None else []
        return [str(process.pid) for process in seen.values() if FITS[kind](process, seen)] if kind in FITS else []

    def strike(self, kind: str, victim: str) -> Strike | None:
        """Strike it; None when it was gone already."""
        try:
            os.kill(int(victim), signal.SIGKILL)
        except ProcessLookupError:
            return None
        return Strike(victim)

    def settle(self) -> None:
        """Wait until nothing of an ended verb is left. Raises `TimeoutError`."""
        ends = time.monotonic() + DYING_S
        while left := self.look():
            if time.monotonic() > ends:
                raise TimeoutError(f"outlived its driver: {[process.command[:200] for process in left.values()]}")
            time.sleep(0.1)

    def save(self, name: str) -> None:
        """Keep `work` under a name."""
        shutil.rmtree(self.root / "saved" / name, ignore_errors=True)
        shutil.copytree(self.work, self.root / "saved" / name)

    def restore(self, name: str) -> None:
        """Make `work` what it was."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        shutil.rmtree(self.work)
        shutil.copytree(self.root / "saved" / name, self.work)


@dataclass
class Here(Place):
    """This machine, with the lake in a folder."""

    name: str = "here"
    kinds: tuple[str, ...] = ("driver", "worker", "ffmpeg")

    def __enter__(self) -> "Here":
        self.work.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *error: object) -> None:
        return

    @property
    def work(self) -> Path:
        """As `Place.work`."""
        return self.root / "work"

    def _popen(self, command: Sequence[str], log: Path) -> subprocess.Popen:
        verb, *rest = command
        whole = [sys.executable, "-m", "jobs.cli", verb, "--master", "local[2,4]", *rest]
        with log.open("wb") as out:
            return subprocess.Popen(whole, env=os.environ | self.environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)
