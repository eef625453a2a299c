"""Batches of a run whose files go away under it: looked up again, or one sentence that says what to do."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from schemas.errors import MissingError
from schemas.lake import Lake
from tests.small_samples import in_lake, sample
from training.batch import Batch
from training.processes import Processes
from training.snapshot_source import SnapshotSource
from training.stages import Settings, read

IDS = [f"clip-{number}" for number in range(6)]


@pytest.fixture
def lake(tmp_path) -> Lake:
    """Six clips in two files of the table."""
    lake = Lake.at(str(tmp_path / "lake"))
    lake.ledger.create()
    for ids in (IDS[:3], IDS[3:]):
        lake.ledger.append("samples", [sample(clip_id, 20) for clip_id in ids])
    return lake


def settings(held_out: int = 0) -> Settings:
    return read(3, None, {"validation_samples": str(held_out), "workers": "0", "reference_margin": "5", "frames": "4"}, smoke=True)


def batches(source: SnapshotSource) -> Iterator[Batch]:
    return source.batches(settings(), Processes(), 0)


def shown(stream: Iterator[Batch], steps: int) -> list:
    return [(batch.step, key.clip_id, key.first_frame) for batch in islice(stream, steps) for key in batch.samples]


def vacuumed(lake: Lake) -> None:
    lake.ledger.open("samples").vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)


def test_files_that_were_joined_and_vacuumed_are_found_again_and_no_batch_differs(lake, capsys):
    source = SnapshotSource(in_lake(lake))
    undisturbed = shown(batches(source), 10)
    lake.ledger.open("samples").optimize.compact()
    vacuumed(lake)
    assert shown(batches(source), 10) == undisturbed
    assert "is gone: look the clips up again; looked up again" in capsys.readouterr().err


def test_clips_that_are_removed_in_the_middle_of_a_run_come_no_more_and_the_steps_go_on(lake, monkeypatch):
    monkeypatch.setattr("training.stream_work.PLANNED_SAMPLES", 4)  # files are opened again after two steps
    source = SnapshotSource(in_lake(lake))
    stream = batches(source)
    first = shown(stream, 2)
    lake.ledger.open("samples").delete("clip_id = 'clip-1'")
    vacuumed(lake)
    rest = shown(stream, 10)
    assert sorted({step for step, _, _ in (*first, *rest)}) == list(range(12))
    assert {clip_id for step, clip_id, _ in rest if step >= 4} == set(IDS) - {"clip-1"}


def test_clips_that_are_left_out_are_told_once(lake, capsys):
    lake.ledger.append("samples", [sample("short", 4)])
    shown(batches(SnapshotSource(in_lake(lake))), 3)
    assert capsys.readouterr().err.splitlines() == ["training: 1 clips are shorter than the 10 frames that a sample needs: left out"]


@pytest.mark.parametrize("what", ["all clips", "a file"])
def test_what_cannot_be_found_again_is_one_sentence_that_says_what_to_do(lake, what):
    source = SnapshotSource(in_lake(lake))
    if what == "all clips":
        lake.ledger.open("samples").delete()
        vacuumed(lake)
        wanted = "none of the snapshot's 6 clips is left"
    else:
        Path(source.snapshot.files[0].uri).unlink()
        wanted = "is gone, though samples names it: bring it back, or delete .*samples and run talkvid prepare again"
    with pytest.raises(MissingError, match=wanted):
        shown(batches(source), 10)


@pytest.fixture
def twenty(tmp_path) -> Lake:
    """Twenty videos of one clip each, and two more that are too short for a sample."""
    lake = Lake.at(str(tmp_path / "lake"))
    lake.ledger.create()
    for first in (0, 11):
        lake.ledger.append("samples", [sample(f"v{n}-0-1", 4 if n in (4, 15) else 20) for n in range(first, first + 11)])
    return lake


def held(source: SnapshotSource) -> list[str]:
    return [key.clip_id for batch in source.held_out(settings(held_out=2)) for key in batch.samples]


def test_what_is_held_out_is_found_again_after_files_were_joined_and_vacuumed(twenty):
    source = SnapshotSource(in_lake(twenty))
    before = held(source)
    assert len(before) == 2 and len(set(before)) == 1
    twenty.ledger.open("samples").optimize.compact()
    vacuumed(twenty)
    assert held(source) == before


def test_when_the_clips_held_out_were_removed_there_is_no_validation_and_training_goes_on_without_them(twenty):
    source = SnapshotSource(in_lake(twenty))
    (out,) = set(held(source))
    twenty.ledger.open("samples").delete(f"clip_id = '{out}'")
    assert held(SnapshotSource(source.snapshot.resolved())) == []
    vacuumed(twenty)
    assert held(source) == []
    trained_on = {clip_id for _, clip_id, _ in shown(source.batches(settings(held_out=2), Processes(), 0), 30)}
    assert len(trained_on) == 19 and out not in trained_on


def test_clips_too_short_for_a_sample_are_never_those_held_out(twenty):
    short = tuple(4 if number % 22 else 20 for number in range(22))
    source = SnapshotSource(replace(in_lake(twenty), frames=short))
    assert held(source) == []


def test_when_only_short_clips_of_a_video_held_out_are_left_there_is_no_validation(twenty):
    source = SnapshotSource(in_lake(twenty))
    (out,) = set(held(source))
    short = out.replace("-0-1", "-1-2")
    twenty.ledger.append("samples", [sample(short, 4)])
    source = SnapshotSource(in_lake(twenty))
    assert set(held(source)) == {out}
    twenty.ledger.open("samples").delete(f"clip_id = '{out}'")
    assert held(SnapshotSource(source.snapshot.resolved())) == []
