"""Footage of the driver's machine that executors do not see."""

from pathlib import Path

import pytest

from jobs.brought import brought
from tests.footage import moving_square
from udfs.sources.listing import file_source
from udfs.sources.register import Registration, failure, item_of


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """A tiny video."""
    path = tmp_path_factory.mktemp("raw") / "film.mp4"
    moving_square(path, seconds=2)
    return path


def unseen(film: Path) -> tuple[dict, dict]:
    """A source as a worker gets it, and what an executor says that has no such file."""
    item = item_of(7, file_source(str(film)))
    return item, failure(item, "vanished", "the file is not there any more")


def test_a_file_that_only_the_driver_has_is_copied_into_the_lake_by_the_driver(film, tmp_path):
    item, row = unseen(film)
    ((made,), count) = brought(Registration(str(tmp_path / "media"), copy=True), {7: item}, [row])
    assert count == 1 and made["code"] is None
    assert Path(made["waiting"], "video.mp4").read_bytes() == film.read_bytes()


def test_what_is_not_copied_or_not_there_stays_vanished(film, tmp_path):
    item, row = unseen(film)
    assert brought(Registration(str(tmp_path / "media")), {7: item}, [row]) == ([row], 0)
    gone = item | {"uri": str(tmp_path / "gone.mp4")}
    assert brought(Registration(str(tmp_path / "media"), copy=True), {7: gone}, [row]) == ([row], 0)
    other = failure(item, "truncated", "it ends early")
    assert brought(Registration(str(tmp_path / "media"), copy=True), {7: item}, [other]) == ([other], 0)
