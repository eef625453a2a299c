"""What training tells while it runs: TensorBoard scalars, what each step saw, and a line on stderr."""

import json
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from training.batch import SampleKey

EVERY_S = 5.0
WINDOW = 50
"""Steps over which the rate is taken."""


class MetricsLog:
    """Scalars of the first rank in TensorBoard's files in `folder`, one line per step and rank in `folder/seen/rank-RRRRR.jsonl`.

    Steps are numbered from 1. After a resume at `first` the steps from there on count anew: TensorBoard is told to forget the old ones.
    """

    def __init__(self, folder: Path, rank: int, first: int) -> None:
        self._writer = None
        if rank == 0:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(folder), purge_step=first, flush_secs=10)
        seen = folder / "seen"
        seen.mkdir(parents=True, exist_ok=True)
        self._seen = open(seen / f"rank-{rank:05d}.jsonl", "a", buffering=1)  # noqa: SIM115 (closed in __exit__)

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._writer is not None:
            self._writer.close()
        self._seen.close()

    def step(self, step: int, scalars: Mapping[str, float], samples: Sequence[SampleKey]) -> None:
        """Note a step: its scalars, such as `train/loss`, and this rank's samples."""
        self.scalars(step, scalars)
        keys = [[sample.clip_id, sample.epoch, sample.index, sample.first_frame, sample.reference_frame, sample.flipped] for sample in samples]
        self._seen.write(json.dumps({"step": step, **scalars, "samples": keys}) + "\n")

    def flush(self) -> None:
        """Have all that was noted in the files."""
        if self._writer is not None:
            self._writer.flush()

    def scalars(self, step: int, scalars: Mapping[str, float]) -> None:
        """Note scalars of a step."""
        if self._writer is not None:
            for name, value in scalars.items():
                self._writer.add_scalar(name, value, step)


def seen(folder: Path) -> dict[int, dict[int, list[dict]]]:
    """What `MetricsLog` wrote into a stage's folder: by rank, by step, each time the step was done, oldest first; a torn last line is left out."""
    told: dict[int, dict[int, list[dict]]] = {}
    for file in sorted((folder / "seen").glob("rank-*.jsonl")):
        steps = told.setdefault(int(file.stem.partition("-")[2]), {})
        for line in file.read_text().split("\n")[:-1]:
            try:
                record = json.loads(line)
            except ValueError:  # a killed process's last words, with the next one's first in the same line
                continue
            steps.setdefault(record["step"], []).append(record)
    return told


class ProgressLine:
    """Step, loss, rate and time left on stderr, every few seconds; redrawn in place on a terminal."""

    def __init__(self, stage: str, steps: int, done: int, *, quiet: bool = False) -> None:
        self._stage, self._steps, self._quiet = stage, steps, quiet
        self._times: deque[tuple[float, int]] = deque([(time.monotonic(), done)], WINDOW)
        self._printed = time.monotonic()

    def step(self, done: int, loss: float) -> None:
        """Note that `done` steps are done; print when it is time."""
        now = time.monotonic()
        self._times.append((now, done))
        last = done == self._steps
        if self._quiet or (now - self._printed < EVERY_S and not last):
            return
        self._printed = now
        since, before = self._times[0]
        rate = (done - before) / max(now - since, 1e-9)
        text = f"train: {self._stage} · step {done} of {self._steps} · loss {loss:.4f} · {rate:.2f} it/s · {_span((self._steps - done) / rate)} left"
        if sys.stderr.isatty():
            print(f"\r\033[K{text}", end="\n" if last else "", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
