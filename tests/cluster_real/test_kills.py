"""Twelve of the kills of `benchmarks.kills`, each kind at least once, at moments that a fixed seed draws: what is left is what an undisturbed run leaves."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.killing.cluster_place import OnCluster
from benchmarks.killing.place import Here, Place
from benchmarks.killing.stages import Inputs
from benchmarks.killing.trial import Kill, Undisturbed, kill, undisturbed

pytestmark = pytest.mark.cluster

SEED = 12
STAGES = ("ingest", "segment", "score", "export")
KILLS = [
    ("here", "ingest", "worker"),
    ("here", "segment", "driver"),
    ("here", "score", "driver"),
    ("here", "export", "driver"),
    ("here", "export", "ffmpeg"),
    ("cluster", "ingest", "cut"),
    ("cluster", "segment", "executor"),
    ("cluster", "score", "node"),
    ("cluster", "score", "store"),
    ("cluster", "score", "worker"),
    ("cluster", "export", "executor"),
    ("cluster", "export", "store"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where inputs, places and what verbs print lie."""
    made = tmp_path_factory.mktemp("kills")
    (made / "logs").mkdir()
    return made


@pytest.fixture(scope="module")
def places(folder: Path) -> Iterator[dict[str, Place]]:
    """This machine, and a cluster with its store."""
    inputs = Inputs(folder / "inputs").make(STAGES)
    with ExitStack() as stack:
        yield {place.name: stack.enter_context(place) for place in (Here(folder / "here", inputs), OnCluster(folder / "cluster", inputs))}


@pytest.fixture(scope="module")
def whole(places: dict[str, Place], folder: Path) -> dict[str, dict[str, Undisturbed]]:
    """The stages as they go undisturbed, by place."""
    return {name: undisturbed(place, STAGES, folder / "logs") for name, place in places.items()}


@pytest.mark.parametrize("number", range(len(KILLS)), ids=["-".join(words) for words in KILLS])
def test_what_was_struck_leaves_what_an_undisturbed_run_leaves(places, whole, folder, number):
    place, stage, kind = KILLS[number]
    outcome = kill(places[place], Kill(number, place, stage, kind), whole[place][stage], SEED, folder / "logs")
    assert outcome.struck and outcome.as_undisturbed, outcome
    assert outcome.by_itself or kind == "driver", outcome
