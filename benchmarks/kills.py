"""Something is killed, cut off or stopped at a random moment of a verb, which is run again if it fell: the result must be that of an undisturbed run.

`python -m benchmarks.kills [--n 60] [--seed 0] [--first 0] [--csv FILE [--resume]] [--folder DIR] [--stages …] [--kinds …] [--places here,cluster]`

Each kill starts from a saved lake of the stage before. Its moment is drawn evenly from the part of the undisturbed run in which there are victims of
its kind. `here` is this machine with the lake in a folder; `cluster` is two workers in network namespaces with the lake on an S3 server (needs root).
"""

import argparse
import csv
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path

from benchmarks.killing.cluster_place import OnCluster
from benchmarks.killing.place import Here, Place
from benchmarks.killing.stages import STAGES, Inputs
from benchmarks.killing.trial import Kill, Outcome, Undisturbed, kill, undisturbed
from benchmarks.table import show

KINDS = ("driver", "executor", "worker", "ffmpeg", "node", "cut", "store")
PLACES: dict[str, type[Place]] = {"here": Here, "cluster": OnCluster}
HEADINGS = [field.name for field in fields(Outcome)]


def schedule(n: int, seed: int, possible: Mapping[tuple[str, str], Sequence[str]]) -> list[Kill]:
    """`n` kills: every (stage, kind) that is possible in a random order, then all once more; `possible` says in which places, which take turns."""
    dice, found = random.Random(seed), []
    rounds = 0
    while len(found) < n:
        pairs = sorted(possible)
        dice.shuffle(pairs)
        for stage, kind in pairs:
            places = possible[stage, kind]
            found.append(Kill(len(found), places[rounds % len(places)], stage, kind))
        rounds += 1
    return found[:n]


def pairs_of(measured: Mapping[str, Mapping[str, Undisturbed]], stages: Sequence[str], kinds: Sequence[str]) -> dict[tuple[str, str], list[str]]:
    """Which kinds there are victims of in which stages, and where."""
    found: dict[tuple[str, str], list[str]] = {}
    for place, by_stage in measured.items():
        for stage in stages:
            for kind in kinds:
                if kind in by_stage[stage].spans_s:
                    found.setdefault((stage, kind), []).append(place)
    return found


def survived(outcome: Outcome) -> bool:
    """Whether the verb ended by itself, where it should: only a driver that is killed is run again by somebody."""
    return outcome.by_itself or outcome.kind == "driver"


def done_before(file: Path | None) -> list[Outcome]:
    """What an earlier table holds."""
    if file is None or not file.exists():
        return []
    kinds = {field.name: field.type for field in fields(Outcome)}
    with file.open(newline="") as lines:
        return [Outcome(**{name: _typed(kinds[name], text) for name, text in row.items()}) for row in csv.DictReader(lines)]


def _typed(kind: object, text: str) -> object:
    return text == "True" if kind is bool else kind(text) if callable(kind) else text


def note(file: Path | None, outcome: Outcome) -> None:
    """Append a row."""
    if file is None:
        return
    new = not file.exists()
    with file.open("a", newline="") as lines:
        csv.writer(lines).writerows([HEADINGS] * new + [outcome.row()])


def main() -> None:
    """Kill, run again, compare, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first kill that is carried out: the draw stays that of all N")
    parser.add_argument("--stages", default=",".join(STAGES))
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--places", default=",".join(PLACES))
    parser.add_argument("--csv", type=Path, help="file that rows are appended to")
    parser.add_argument("--resume", action="store_true", help="leave out what the file holds already")
    parser.add_argument("--folder", type=Path, help="folder in which inputs, saved lakes and what verbs print are kept for another call")
    args = parser.parse_args()
    stages, kinds = args.stages.split(","), args.kinds.split(",")
    rows = done_before(args.csv) if args.resume else []
    with tempfile.TemporaryDirectory(prefix="talkvid-kills-") as scratch, ExitStack() as stack:
        folder = args.folder or Path(scratch)
        logs = folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        inputs = Inputs(Path(folder, "inputs")).make(stages)
        places = {name: stack.enter_context(PLACES[name](Path(folder, name), inputs)) for name in args.places.split(",")}
        measured = {name: undisturbed(place, stages, logs) for name, place in places.items()}
        for name, by_stage in measured.items():
            for stage, whole in by_stage.items():
                spans = ", ".join(f"{kind} {seconds:.1f}" for kind, seconds in whole.spans_s.items())
                print(f"{name}: {stage} {whole.run.seconds:.1f} s, {whole.run.cpu_s:.1f} CPU s; victims for s: {spans}", file=sys.stderr, flush=True)
        for what in schedule(args.n, args.seed, pairs_of(measured, stages, kinds)):
            if what.number < args.first or what.number in {row.number for row in rows}:
                continue
            rows.append(kill(places[what.place], what, measured[what.place][what.stage], args.seed, logs))
            note(args.csv, rows[-1])
            print(*rows[-1].row(), "as undisturbed" if rows[-1].as_undisturbed else "DIFFERS", sep=" | ", file=sys.stderr, flush=True)
    show(
        f"{len(rows)} random kills, seed {args.seed}",
        [*HEADINGS, "result"],
        [[*row.row(), "as undisturbed" if row.as_undisturbed else "DIFFERS"] for row in rows],
    )
    fell = [row.number for row in rows if not survived(row)]
    print(f"{sum(row.as_undisturbed for row in rows)} of {len(rows)} as undisturbed; fell although only a part was struck: {fell or 'none'}")
    sys.exit(bool(fell) or not all(row.as_undisturbed for row in rows))


if __name__ == "__main__":
    main()
