"""One kill from beginning to end: start, strike at its moment, wait, run again what fell, compare."""

import pickle
import random
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.killing.contents import Contents, Difference, contents, difference, torn, unfinished
from benchmarks.killing.place import Place, Strike
from benchmarks.killing.processes import Seen, Watch
from benchmarks.killing.stages import STAGES

TRIES = 4
"""A strike for which there was no victim any more is tried again, each time at half the delay."""
MOST_RUNS_AGAIN = 3
LONGEST_S = 600.0
POLL_S = 0.05


@dataclass
class Run:
    """How a verb went. `taken` is the number of inputs that it says it took on."""

    status: int
    seconds: float
    cpu_s: float
    taken: int | None
    strike: Strike | None = None


@dataclass(frozen=True)
class Undisturbed:
    """A stage as it goes when nothing happens: its run, what it leaves, and for each kind how long from the first victim to the last."""

    run: Run
    contents: Contents
    spans_s: dict[str, float]


@dataclass(frozen=True)
class Kill:
    """What is struck, where: drawn from the seed and its number."""

    number: int
    place: str
    stage: str
    kind: str

    def dice(self, seed: int) -> random.Random:
        """Its own random numbers."""
        return random.Random(f"{seed}-{self.number}")


@dataclass(frozen=True)
class Outcome:
    """What became of it, as a row of the table. `moment_s` counts from when the first victim was there; `taken_again` are inputs of the runs after it."""

    number: int
    place: str
    stage: str
    kind: str
    struck: bool
    moment_s: float
    span_s: float
    statuses: str
    extra_s: float
    extra_cpu_s: float
    taken_again: int
    of: int
    lost: int
    twice: int
    other: int
    torn: int
    unfinished: int

    @property
    def as_undisturbed(self) -> bool:
        """Everything is there, once, whole, and nothing half done lies beside it."""
        return self.struck and self.statuses.split()[-1] == "0" and not (self.lost or self.twice or self.other or self.torn or self.unfinished)

    @property
    def by_itself(self) -> bool:
        """The verb ended well without being run again."""
        return self.statuses == "0"

    def row(self) -> list[object]:
        """Cells."""
        return [*asdict(self).values()]


def run(place: Place, stage: str, log: Path, kind: str = "", moment_s: float = 0.0, dice: random.Random | None = None) -> tuple[Run, dict[str, list[float]]]:
    """Run a verb to its end; with a kind strike one of its victims so long after the first was there. Also tells when victims were seen."""
    sights: dict[str, list[float]] = {}

    def note(seen: dict[int, Seen]) -> None:
        for name in place.kinds:
            if place.victims(name, seen):
                sights.setdefault(name, []).append(time.monotonic())

    started = time.monotonic()
    process = place.start(stage, log)
    strike, first = None, None
    try:
        with Watch(place.look, note if not kind else lambda seen: None) as watch:
            while process.poll() is None:
                if time.monotonic() - started > LONGEST_S:
                    raise TimeoutError(f"{stage} did not end within {LONGEST_S:.0f} s; see {log}")
                if strike is not None:
                    strike.tend()
                elif dice is not None and (first is None or time.monotonic() >= first + moment_s):
                    there = place.victims(kind, place.look())
                    if there and first is None:
                        first = time.monotonic()
                    elif there:
                        strike = place.strike(kind, dice.choice(sorted(there)))
                time.sleep(POLL_S if first is None or strike is not None else 0.002)
            seconds = time.monotonic() - started
            if strike is not None:
                strike.tend(over=True)
            place.settle()
    finally:
        if strike is not None:
            strike.tend(over=True)
        if process.poll() is None:
            process.kill()
        process.wait()
    return Run(process.returncode, seconds, watch.cpu_s, _taken(log), strike), sights


def _taken(log: Path) -> int | None:
    found = re.findall(r"^\w+: in=(\d+) ", log.read_text(errors="replace"), re.MULTILINE)
    return int(found[-1]) if found else None


def undisturbed(place: Place, stages: Sequence[str], logs: Path) -> dict[str, Undisturbed]:
    """Run the line once up to the last of these stages; the state before each is saved under its name. What the place's folder has of an earlier call
    is taken from there. Raises `RuntimeError` when a stage fails."""
    kept = place.root / "undisturbed.pickle"
    found: dict[str, Undisturbed] = pickle.loads(kept.read_bytes()) if kept.exists() else {}  # noqa: S301 - written here
    for stage in STAGES[len(found) : 1 + max(STAGES.index(name) for name in stages)]:
        if found:
            place.restore(stage)
        else:
            place.save(stage)
        done, sights = _whole(place, stage, logs)
        spans = {kind: times[-1] - times[0] for kind, times in sights.items()}
        found[stage] = Undisturbed(done, contents(place.work), spans)
        if stage == "score":
            _whole(place, "filter", logs)
        place.save(following(stage))
        kept.write_bytes(pickle.dumps(found))
    return found


def following(stage: str) -> str:
    """The name under which the state after a stage is saved."""
    return (*STAGES, "the end")[STAGES.index(stage) + 1]


def _whole(place: Place, stage: str, logs: Path) -> tuple[Run, dict[str, list[float]]]:
    log = logs / f"{place.name}-{stage}.log"
    done, sights = run(place, stage, log)
    if done.status:
        raise RuntimeError(f"{stage} failed undisturbed ({place.name}), with status {done.status}: {log.read_text(errors='replace')[-3000:]}")
    return done, sights


def kill(place: Place, what: Kill, before: Undisturbed, seed: int, logs: Path) -> Outcome:
    """Do it, and compare. The logs of a kill that left anything else than it should stay."""
    dice, span_s = what.dice(seed), before.spans_s[what.kind]
    moment_s = dice.uniform(0.0, span_s)
    for _ in range(TRIES):
        place.restore(what.stage)
        done, _ = run(place, what.stage, logs / f"{seed}-{what.number}.log", what.kind, moment_s, dice)
        if done.strike is not None:
            break
        moment_s /= 2
    halves = torn(before.contents, place.work)
    runs = [done]
    while runs[-1].status != 0 and len(runs) <= MOST_RUNS_AGAIN:
        runs.append(run(place, what.stage, logs / f"{seed}-{what.number}-again-{len(runs)}.log")[0])
    found: Difference = difference(before.contents, contents(place.work))
    return Outcome(
        number=what.number,
        place=what.place,
        stage=what.stage,
        kind=what.kind,
        struck=done.strike is not None,
        moment_s=round(moment_s, 1),
        span_s=round(span_s, 1),
        statuses=" then ".join(str(one.status) for one in runs),
        extra_s=round(sum(one.seconds for one in runs) - before.run.seconds, 1),
        extra_cpu_s=round(sum(one.cpu_s for one in runs) - before.run.cpu_s, 1),
        taken_again=sum(one.taken or 0 for one in runs[1:]),
        of=before.run.taken or 0,
        lost=found.lost,
        twice=found.twice,
        other=found.other,
        torn=halves,
        unfinished=len(unfinished(place.work)),
    )
