"""Sweeping the machines of a cluster: each is asked, those that could not be are told, and copies of trainings that are left there go."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.census import Census
from jobs.removal import nodes
from jobs.removal.target import Target
from schemas.scratch import scratch_folder
from tests.jobs.removal.lake_of_two import CLIPS, GONE, STAYS, take_out
from training.checkpoint_store import StoreShelf

TARGET = Target(videos=({"video_id": GONE, "sha256": None},))


@pytest.fixture
def home() -> Iterator[str]:
    """A prefix in a store that no other training has; no copy of its stages is left at the end."""
    home = f"s3a://nowhere/{uuid.uuid4().hex}"
    yield home
    for stage in ("gone", "stays", "runs", "runs_on"):
        StoreShelf.of(f"{home}/{stage}").folder.joinpath("snapshot.json").unlink(missing_ok=True)
        StoreShelf.of(f"{home}/{stage}").clear(Alone())


class Alone:
    """The one rank there is."""

    def wait(self) -> None:
        """Nobody is waited for."""


def copy(home: str, stage: str, *clips: str) -> StoreShelf:
    """A node's copies of a stage trained on these clips, as a rank makes them; its training runs while the shelf is there."""
    shelf = StoreShelf.of(f"{home}/{stage}")
    (shelf.folder / "seen").mkdir()
    (shelf.folder / "snapshot.json").write_text(json.dumps({"clips": clips}))
    (shelf.folder / "seen" / "rank-00000.jsonl").write_text(f"{json.dumps({'samples': clips})}\n")
    return shelf


def lost(home: str, stage: str, *clips: str) -> Path:
    """The same of a training that does not run any more."""
    return copy(home, stage, *clips).folder


def test_copies_on_a_node_that_name_it_go_with_their_training_and_a_running_one_forgets_it(spark, home):
    gone, stays = lost(home, "gone", CLIPS[GONE][0], CLIPS[STAYS][0]), lost(home, "stays", CLIPS[STAYS][0])
    running = copy(home, "runs", CLIPS[GONE][0], CLIPS[STAYS][0])
    assert nodes.sweep(spark, TARGET) == []
    assert not gone.exists() and not gone.parent.exists()
    assert CLIPS[STAYS][0] in (stays / "snapshot.json").read_text()
    assert json.loads((running.folder / "seen" / "rank-00000.jsonl").read_text())["samples"] == ["(removed)", CLIPS[STAYS][0]]
    assert CLIPS[GONE][0] in (running.folder / "snapshot.json").read_text(), "what a training reads stays until it ends"


def test_copies_on_this_machine_count_as_a_place(lake, home, monkeypatch, tmp_path):
    monkeypatch.setenv("TALKVID_SCRATCH", str(tmp_path / "scratch"))
    gone, running = lost(home, "gone", CLIPS[GONE][0]), copy(home, "runs_on", CLIPS[GONE][0])
    assert "staged=3" in take_out(lake, GONE, dry_run=True).results.splitlines()
    assert gone.exists()
    summary = take_out(lake, GONE)
    assert "staged=3" in summary.results.splitlines() and summary.counts["remaining"] == 0
    assert not gone.exists() and GONE not in (running.folder / "seen" / "rank-00000.jsonl").read_text()
    lost(home, "gone", CLIPS[GONE][0])
    assert "staged=2" in take_out(lake, GONE).results.splitlines(), "an interrupted removal is gone on with"


def test_a_rank_that_begins_while_its_old_copies_are_removed_gets_a_folder_of_its_own(home):
    for _ in range(3):
        lost(home, "gone", CLIPS[GONE][0])
        assert nodes.sweep_here(TARGET)["host"]
        assert StoreShelf.of(f"{home}/gone").folder.is_dir()
        assert not list(scratch_folder().glob("train-*/gone/snapshot.json"))


@pytest.mark.parametrize(("error", "said"), [("", "reach the others"), ("no Python\x1b[2J", "others: no Python\\x1b[2J")])
def test_machines_that_gave_no_answer_are_told(monkeypatch, error, said):
    monkeypatch.setattr(nodes, "census", lambda *words: Census([{"host": "a", "daemon": 1}], ["10.0.0.1", "10.0.0.2"], error))
    (note,) = nodes.sweep(None, TARGET)
    assert "of 1 machines were swept, 2 executors are there" in note and note.endswith(said)


def test_spark_submit_may_name_a_cluster(monkeypatch):
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    assert not nodes.on_cluster(None)
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    assert nodes.on_cluster(None) and not nodes.on_cluster("local[4]")
