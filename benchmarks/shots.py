"""Shot cuts and gradual transitions on the corpus, against what is known of it.

`python -m benchmarks.shots [--corpus FOLDER]`
"""

import argparse
import json
from pathlib import Path

from benchmarks.corpus import corpus_folder
from benchmarks.table import show
from udfs import media
from udfs.presets import DETECTORS, make_preset
from udfs.shots.find import find_transitions
from udfs.shots.transitions import Transition, shots_between

NEAR_FRAMES = 2
MOST_FRAMES_LEFT = 3


def find(path: Path, detector: str) -> list[Transition]:
    """Transitions as `talkvid segment --detector` finds them."""
    preset = make_preset("talkvid" if detector == "histogram" else "default", detector=detector)
    assert preset.threshold is not None
    return find_transitions(path, detector, preset.threshold)


def compared(found: list[Transition], truth: list[int]) -> tuple[int, int]:
    """How many true cuts were found within two frames, and how many transitions are no true cut."""
    hits = {cut for cut in truth if any(abs(transition.start_frame - cut) <= NEAR_FRAMES and transition.kind == "cut" for transition in found)}
    others = [transition for transition in found if not any(abs(transition.start_frame - cut) <= NEAR_FRAMES for cut in truth)]
    return len(hits), len(others)


def panels(corpus: Path) -> None:
    """Table of hard cuts by detector."""
    truth = {name: [shot["start_frame"] for shot in panel["shots"][1:]] for name, panel in json.loads((corpus / "ground_truth_shots.json").read_text()).items()}
    rows = []
    for detector in DETECTORS:
        by_panel = {name: compared(find(corpus / name, detector), cuts) for name, cuts in truth.items()}
        hits, others = (sum(counts[place] for counts in by_panel.values()) for place in (0, 1))
        each = ", ".join(f"{name.removesuffix('.mp4')} {one}/{len(truth[name])} + {other}" for name, (one, other) in by_panel.items())
        rows.append((detector, f"{hits} of {sum(map(len, truth.values()))}", others, each))
    show("Hard cuts of panel_*.mp4, within 2 frames", ("detector", "found", "others", "by panel: found + others"), rows)


def gradual(corpus: Path) -> None:
    """Table of the transitions of gradual_a.mp4, and how many of their frames a clip holds."""
    name = "gradual_a.mp4"
    truth = json.loads((corpus / "ground_truth_transitions.json").read_text())[name]
    found = find(corpus / name, "transnet")
    shots = shots_between(found, len(media.frame_times(corpus / name)))
    rows = []
    for known in truth["transitions"]:
        start, end = known["start_frame"], known["end_frame"]
        hits = [transition for transition in found if transition.start_frame < end and transition.end_frame > start]
        left = max((min(shot.end_frame, end) - max(shot.start_frame, start) for shot in shots), default=0)
        place = ", ".join(f"{transition.start_frame}-{transition.end_frame}" for transition in hits) or "missed"
        rows.append((known["kind"], f"{start}-{end}", place, max(0, left) if hits else ""))
    cuts, others = compared([transition for transition in found if transition.kind == "cut"], truth["hard_cuts"])
    show(f"Gradual transitions of {name} (at most {MOST_FRAMES_LEFT} frames left in a clip)", ("kind", "frames", "found", "most frames in one clip"), rows)
    print(f"hard cuts: {cuts} of {len(truth['hard_cuts'])}, others: {others}")


def main() -> None:
    """Both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=corpus_folder())
    corpus = parser.parse_args().corpus
    panels(corpus)
    gradual(corpus)


if __name__ == "__main__":
    main()
