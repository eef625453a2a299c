"""Starting the ranks of a training, in any of four ways, and learning how they ended."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import training
from jobs.training_on_spark import by_spark
from jobs.training_stop import ANCESTORS, PATIENT, SAVING_S, stop_ranks
from schemas import storage
from schemas.errors import Interrupted, MissingError, TalkvidError, UsageError, VerificationError
from training.processes import free_port
from training.stage_files import LAUNCH, OUTCOME

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LAUNCHERS = ("local", "torchrun", "deepspeed", "spark")
DYING_S = 30.0
"""How long the others may go on after one rank ended badly."""
STDERR = 2
_ERRORS = {error.exit_status: error for error in (UsageError, MissingError, VerificationError)}


@dataclass(frozen=True)
class Launch:
    """What to start: `ranks` processes that train the stage at `stage`, a folder that all of them see or a prefix in a store."""

    stage: str
    ranks: int = 1
    resume: str = "auto"
    device: str = "auto"
    quiet: bool = False
    name: str = field(default_factory=lambda: secrets.token_hex(4))

    def words(self, how: str) -> list[str]:
        """Arguments of `training.train` for ranks that a launcher starts."""
        launch = ["--ancestors", str(ANCESTORS[how]), *(["--launch", self.name] if storage.is_remote(self.stage) else [])]
        return [self.stage, "--resume", self.resume, "--device", self.device, *launch, *(["--quiet"] if self.quiet else [])]


class RankLostError(TalkvidError):
    """A rank ended without a word, or its node did: the same ranks may be started again. `signal` is the one that a rank got, else 0."""

    def __init__(self, sentence: str, signal_number: int = 0) -> None:
        super().__init__(sentence)
        self.signal = signal_number


def launched(how: str, launch: Launch, spark: "SparkSession | None" = None) -> dict[str, Any]:
    """Train to the end; returns what `outcome.json` says. stdout of the ranks goes to stderr.

    Raises the ranks' own `TalkvidError`, `RankLostError`, and `Interrupted` when this process got a signal: the step was saved then.
    """
    storage.delete(storage.at(launch.stage, OUTCOME))
    if storage.is_remote(launch.stage):
        storage.put_bytes(launch.name.encode(), storage.at(launch.stage, LAUNCH))
    if how == "spark":
        assert spark is not None
        status = by_spark(spark, launch.words(how), launch.ranks)
    else:
        status = _waited(how, _started(how, launch))
    return _outcome(launch.stage, status)


def _started(how: str, launch: Launch) -> list[subprocess.Popen]:
    program = ["training.train", *launch.words(how)]
    if how == "torchrun":
        return [_process(["torch.distributed.run", "--standalone", f"--nproc_per_node={launch.ranks}", "-m", *program], PATIENT)]
    if how == "deepspeed":
        launcher = ["deepspeed.launcher.runner", f"--num_gpus={launch.ranks}", f"--master_port={free_port()}", "--module", *program]
        return [_process(launcher, {})]
    port = str(free_port())
    common = {"WORLD_SIZE": str(launch.ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return [_process(program, {**common, "RANK": str(rank), "LOCAL_RANK": str(rank)} if launch.ranks > 1 else {}) for rank in range(launch.ranks)]


def _process(module: Sequence[str], environment: dict[str, str]) -> subprocess.Popen:
    """`python -m MODULE …` that finds the project from any folder. A group of its own: the terminal's Ctrl-C reaches it through us, once."""
    root = str(Path(training.__file__).parents[1])
    search = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    threads = {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", *module], env={**os.environ, **threads, **environment, "PYTHONPATH": search}, stdout=STDERR, start_new_session=True
    )


def _waited(how: str, processes: Sequence[subprocess.Popen]) -> int:
    """The worst exit status. When one process ends badly the others are ended too."""
    try:
        deadline = float("inf")
        while any(process.poll() is None for process in processes) and time.monotonic() < deadline:
            if any(process.returncode for process in processes):
                deadline = min(deadline, time.monotonic() + DYING_S)
            time.sleep(0.1)
    except Interrupted:
        if not stop_ranks(how):
            _signal(processes, signal.SIGTERM)
        _end(processes, SAVING_S)
        raise
    _end(processes, 0.0)
    statuses = [process.returncode for process in processes]
    return next((status for status in statuses if status > 0), next((status for status in statuses if status), 0))


def _signal(processes: Sequence[subprocess.Popen], number: int) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(number)


def _end(processes: Sequence[subprocess.Popen], patience_s: float) -> None:
    """Wait, then kill what is left, with all that it started."""
    deadline = time.monotonic() + patience_s
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _outcome(stage: str, status: int) -> dict[str, Any]:
    told = json.loads(storage.read_bytes(storage.at(stage, OUTCOME)) or "{}")
    ended = told.get("exit_status", status or 1)
    if ended == 0 and status == 0:
        return told
    if ended in (128 + signal.SIGINT, 128 + signal.SIGTERM):
        raise RankLostError("a rank got a signal; the step was saved", ended - 128)
    if ended and told.get("sentence"):
        raise _ERRORS.get(ended, TalkvidError)(told["sentence"])
    raise RankLostError("a rank of the training ended with an error that is told above; the last checkpoint stays, run it again to go on")
