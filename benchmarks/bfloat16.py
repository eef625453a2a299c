"""How far bfloat16 moves the released scores, and how many verdicts it flips: `python -m benchmarks.bfloat16 VIDEO... [--device cuda] [--points-per-side 10]`.

Every clip of 5 s is scored in float32 and in bfloat16, with golden weights (not the official ones: their scores mean nothing, their
deviations do). Verdicts are those of the rules of all shipped policies. Without videos, `--clips` made-up clips are scored, which needs no ffmpeg.
"""

import argparse
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median_high

from benchmarks import textured_clips
from benchmarks.limits import largest
from benchmarks.table import show
from schemas.codes import Rejected
from schemas.policy import Rule
from schemas.policy_files import load, shipped
from tests.udfs.nets.golden_rules import write_golden_checkpoint
from udfs import media, weights
from udfs.cotracker import CoTracker, CoTrackerConfig
from udfs.dover import Dover
from udfs.nets.cotracker3.network import CoTracker3
from udfs.nets.dover import network as dover
from udfs.scorer import Clip, Device, Outcome, Reduced
from udfs.scoring import Asked, score_clips, set_up

CLIP_S = 5.0
Values = dict[tuple[str, str], float | None]
"""By (clip, `scorer.value`)."""
Pair = tuple[float | None, float | None]
"""One value in float32 and in bfloat16."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", nargs="*", type=Path)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--points-per-side", type=int, default=10)
    parser.add_argument("--clips", type=int, default=1, help="clips of each video, or made-up ones")
    arguments = parser.parse_args()
    with golden_weights():
        if arguments.videos:
            clips = [clip for video in arguments.videos for clip in _clips(video, arguments.clips)]
            exact, rough = (_values(clips, device, arguments.points_per_side) for device in in_both(arguments.device))
        else:
            exact, rough = (made_up_values(arguments.clips, device, arguments.points_per_side) for device in in_both(arguments.device))
    show_flips(exact, rough, arguments.device)


def in_both(kind: str) -> tuple[Device, Device]:
    """The device in float32 and in bfloat16."""
    return Device(kind), Device(kind, dtype="bfloat16")


def show_flips(exact: Values, rough: Values, device: str) -> None:
    """Print how far values are apart and what rules judge differently."""
    rows = []
    for name in ("dover.aesthetic", "dover.technical", "dover.dover_scores", "cotracker.cotracker_ratio"):
        pairs = [(exact[key], rough[key]) for key in exact if key[1] == name]
        both = [(one, other) for one, other in pairs if one is not None and other is not None]
        apart = [abs(one - other) for one, other in both]
        middle = median_high(one for one, _ in both)
        borders = [f"{rule.expression}: {flips(pairs, rule)}" for rule in rules_about(name)]
        borders.append(f"the median, {middle:.3g}: {flips(pairs, Rule('median', name, '>=', middle))}")
        rows.append((name, len(both), f"{sum(apart) / len(apart):.1e}", f"{largest(apart):.1e}", ", ".join(borders)))
    show(f"bfloat16 beside float32, {device}", ("value", "clips", "mean deviation", "largest", "flips of rules, and at the median"), rows)


def rules_about(column: str) -> list[Rule]:
    """Every condition on that column in a shipped policy, once."""
    return list({rule.expression: rule for policy in shipped() for rule in load(policy).rules if rule.column == column}.values())


def flips(pairs: Iterable[Pair], rule: Rule) -> int:
    """How many pairs the rule judges differently."""
    return sum(rule.holds(one) != rule.holds(other) for one, other in pairs)


@contextmanager
def golden_weights() -> Iterator[None]:
    """Inside, DOVER and CoTracker3 have them, and other networks none."""
    before = os.environ.get("TALKVID_WEIGHTS")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TALKVID_WEIGHTS"] = str(Path(folder, "installed"))
        for name, network in (("dover", dover.Dover()), ("cotracker3_offline", CoTracker3())):
            weights.add(write_golden_checkpoint(network, Path(folder, f"{name}.pth")), name)
        yield
    if before is None:
        del os.environ["TALKVID_WEIGHTS"]
    else:
        os.environ["TALKVID_WEIGHTS"] = before


def _clips(video: Path, most: int) -> list[Clip]:
    found = media.probe(video)
    starts = [number * CLIP_S for number in range(max(1, min(most, int(found.duration_s // CLIP_S))))]
    return [
        Clip(f"{video.stem}-{start_s:g}", video.stem, str(video), start_s, min(start_s + CLIP_S, found.duration_s), found.width, found.height, found.fps, False)
        for start_s in starts
    ]


def made_up_values(clips: int, device: Device, points_per_side: int) -> Values:
    """What both scorers say of so many textured clips, a function of their number."""
    values: Values = {}
    for scorer in (Dover(), CoTracker(CoTrackerConfig(points_per_side=points_per_side))):
        seen = [textured_clips.watched(scorer, seed) for seed in range(clips)]
        scorer.setup(scorer.runs_on(device))
        values |= _by_name(scorer.name, seen, scorer.score(seen))
    return values


def _by_name(scorer: str, clips: Sequence[Reduced], outcomes: Sequence[Outcome]) -> Values:
    values: Values = {}
    for clip, outcome in zip(clips, outcomes):
        if isinstance(outcome, Rejected):
            raise outcome
        values |= {(clip.clip.clip_id, f"{scorer}.{key}"): value for key, value in outcome.items()}
    return values


def _values(clips: list[Clip], device: Device, points_per_side: int) -> Values:
    scorers = set_up(["dover", "cotracker"], device, {"cotracker": CoTrackerConfig(points_per_side=points_per_side)})
    values: Values = {}
    for number, outcomes in score_clips([Asked(clip, ("dover", "cotracker")) for clip in clips], scorers):
        for name, outcome in outcomes.items():
            values |= _by_name(name, [Reduced(clips[number])], [outcome])
    return values


if __name__ == "__main__":
    main()
