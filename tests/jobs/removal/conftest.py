"""What the tests of removal stand on: two videos, and a lake of them for each test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.lake import Lake
from tests.footage import moving_square
from tests.jobs.removal.lake_of_two import GONE, STAYS, make


@pytest.fixture(scope="session")
def footage(tmp_path_factory) -> dict[str, Path]:
    """Two videos with sound."""
    folder = tmp_path_factory.mktemp("footage")
    gone = moving_square(folder / "gone.mp4", seconds=1.2, tone=True)
    return {GONE: gone, STAYS: moving_square(folder / "stays.mp4", seconds=1.2, size="96x64")}


@pytest.fixture(scope="module")
def saved(tmp_path_factory, footage) -> Path:
    """A lake and its exports, to be copied."""
    folder = tmp_path_factory.mktemp("saved")
    make(folder, footage)
    return folder


@pytest.fixture
def here(saved, tmp_path) -> Iterator[Path]:
    """The lake and its exports in a folder of the test's own: the same bytes, and the same addresses."""
    kept = tmp_path / "kept"
    shutil.copytree(saved, kept)
    yield saved
    shutil.rmtree(saved)
    shutil.copytree(kept, saved)


@pytest.fixture
def lake(here) -> Lake:
    """The lake of those."""
    return Lake.at(str(here / "lake"))
