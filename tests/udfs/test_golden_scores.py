"""Numbers may change only together with `version` (law 5): a release must not re-score millions of clips by accident.

When a change is meant: raise the scorer's `version`, then write the new numbers with
`python -m tests.udfs.test_golden_scores`.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from skimage import data

from tests.udfs.watching import watch
from udfs.flow import Flow
from udfs.head import Head, HeadConfig
from udfs.scorer import RGB, Scorer
from udfs.technical import Technical

GOLDEN = Path(__file__).parent / "goldens" / "scores.json"
SCORERS: dict[str, Callable[[], Scorer]] = {"technical": Technical, "flow": Flow, "head": lambda: Head(HeadConfig(backend="centerface-dlib"))}
FPS = 10.0
TOLERANCE = 1e-3


def drifting_portrait() -> Iterator[RGB]:
    """Three seconds of a portrait that drifts, turns a little and has a black border above."""
    for index in range(30):
        place = cv2.getRotationMatrix2D((256, 200), 4 * np.sin(index / 5), 1.0)
        place[:, 2] += (index, index / 3)
        picture = cv2.warpAffine(data.astronaut(), place, (512, 480), borderMode=cv2.BORDER_REFLECT_101)
        picture[:40] = 0
        yield picture


def values_of(name: str) -> dict[str, Any]:
    """The scorer's numbers for the clip, as JSON keeps them."""
    return json.loads(json.dumps(watch(SCORERS[name](), list(drifting_portrait()), FPS)))


@pytest.mark.parametrize("name", SCORERS)
def test_numbers_change_only_with_the_version(name):
    golden = json.loads(GOLDEN.read_text())[name]
    assert golden["version"] == SCORERS[name]().version, "write the numbers of the new version: python -m tests.udfs.test_golden_scores"
    now = values_of(name)
    differing = {key: (value, now[key]) for key, value in golden["values"].items() if not _same(value, now[key])}
    assert differing == {}, f"scorer {name} gives other numbers: raise its version"


def _same(golden: Any, now: Any) -> bool:
    if isinstance(golden, dict):
        return golden.keys() == now.keys() and all(_same(golden[key], now[key]) for key in golden)
    if isinstance(golden, list):
        return len(golden) == len(now) and all(_same(one, other) for one, other in zip(golden, now, strict=True))
    return now == pytest.approx(golden, rel=TOLERANCE, abs=TOLERANCE) if isinstance(golden, float) else now == golden


def main() -> None:
    """Write the numbers of today."""
    numbers = {name: {"version": make().version, "values": values_of(name)} for name, make in SCORERS.items()}
    GOLDEN.write_text(json.dumps(numbers, indent=1) + "\n")


if __name__ == "__main__":
    main()
