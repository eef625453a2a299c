"""Checkpoints of ranks on several machines: whole or not there, newest first, whoever wrote them and wherever they are wanted."""

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from schemas import storage
from schemas.errors import MissingError, TalkvidError, UsageError
from tests.training.rank_threads import together
from tests.training.toy_source import ToySource, write_config
from training import checkpoint_store, exported
from training.checkpoint_store import StoreShelf
from training.checkpoints import Manifest
from training.metrics_log import seen
from training.shelf import Shelf
from training.train import Job, train

MANIFEST = Manifest(0, 1, "smoke", "fp32", 2, 2, True, 0)


def shard(step: int, rank: int) -> dict:
    return {"segments": [["weight", 2 * rank, 2]], "rows": {"master": torch.full((2,), float(10 * step + rank))}}


def write(shelves: list[StoreShelf], step: int, keep: int = 2) -> list:
    return together(shelves, lambda shelf, ranks: shelf.write(replace(MANIFEST, step=step), shard(step, ranks.rank), ranks, keep))


@pytest.fixture
def home(tmp_path: Path) -> str:
    """Where the stage is kept: a folder that stands for a store."""
    return str(tmp_path / "home" / "stage_1")


def node(tmp_path: Path, name: str, home: str, launch: str = "one") -> StoreShelf:
    """The shelf of a rank on a machine of its own."""
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    storage.put_bytes(launch.encode(), f"{home}/launch")
    return StoreShelf(folder, home, launch)


def numbers(shelf: StoreShelf, place: str) -> list[float]:
    """The weights of a step as a rank sees them that has only what its machine fetched."""
    return shelf.opened(place).stored().numbers("master", "weight", 0, 4).tolist()


def tops(home: str) -> set[str]:
    return {file.uri.removeprefix(f"{home}/").partition("/")[0] for file in storage.listed(home)}


def test_every_rank_puts_its_part_the_manifest_goes_last_and_any_machine_goes_on(tmp_path, home, monkeypatch):
    put: list[str] = []
    for name in ("put_file", "put_bytes"):
        real = getattr(storage, name)
        monkeypatch.setattr(storage, name, lambda what, uri, real=real: (real(what, uri), put.append(uri)))
    shelves = [node(tmp_path, name, home) for name in ("one", "two")]
    assert write(shelves, 2) == [None, None]
    assert [uri.rpartition("/")[2] for uri in put][-1] == "manifest.json" and sum("shard" in uri for uri in put) == 2
    assert [len(list((shelf.folder / "step-00000002").iterdir())) for shelf in shelves] == [1, 1], "no machine holds more than its rank wrote"
    found = checkpoint_store.newest(home)
    assert found is not None and found.manifest.step == 2 and found.stage == home
    for shelf in (*reversed(shelves), node(tmp_path, "three", home)):
        assert numbers(shelf, found.place) == [20.0, 20.0, 21.0, 21.0]


def test_the_newest_are_kept_in_the_store_and_on_every_machine(tmp_path, home):
    shelves = [node(tmp_path, name, home) for name in ("one", "two")]
    for step in (2, 4, 6):
        write(shelves, step)
    assert tops(home) == {"launch", "step-00000004", "step-00000006"}
    assert all({path.name for path in shelf.folder.glob("step-*")} == {"step-00000004", "step-00000006"} for shelf in shelves)


@pytest.mark.parametrize("harm", ["no manifest", "torn manifest", "short part", "part is gone"])
def test_a_half_written_step_is_never_resumed_and_the_next_one_clears_it_away(tmp_path, home, harm):
    shelves = [node(tmp_path, name, home) for name in ("one", "two")]
    write(shelves, 2)
    write(shelves, 4)
    half = Path(home, "step-00000004")
    part = next(half.glob("shard-00001*"))
    if harm == "no manifest":
        (half / "manifest.json").unlink()
    elif harm == "torn manifest":
        (half / "manifest.json").write_text((half / "manifest.json").read_text()[:-9])
    elif harm == "short part":
        part.write_bytes(part.read_bytes()[:-1])
    else:
        part.unlink()
    assert checkpoint_store.newest(home).manifest.step == 2
    with pytest.raises(MissingError, match="no whole checkpoint"):
        checkpoint_store.found(str(half))
    again = [node(tmp_path, name, home, "two") for name in ("three", "four")]
    write(again, 4)
    assert {path.name for path in half.iterdir()} == {"manifest.json", "shard-00000-of-00002.two.pt", "shard-00001-of-00002.two.pt"}
    assert checkpoint_store.newest(home).manifest.step == 4


def test_a_torn_step_is_not_kept_in_the_place_of_a_whole_one(tmp_path, home):
    shelves = [node(tmp_path, name, home) for name in ("one", "two")]
    write(shelves, 2)
    write(shelves, 4)
    next(Path(home, "step-00000004").glob("shard-00001*")).unlink()
    write(shelves, 6)
    assert tops(home) == {"launch", "step-00000002", "step-00000006"}
    assert all({path.name for path in shelf.folder.glob("step-*")} == {"step-00000002", "step-00000006"} for shelf in shelves)
    write(shelves, 4, keep=1)
    assert tops(home) == {"launch", "step-00000004"}, "what has a later number is no whole step"
    assert all([path.name for path in shelf.folder.glob("step-*")] == ["step-00000004"] for shelf in shelves)


def test_a_rank_that_cannot_write_stops_all_and_leaves_no_step(tmp_path, home):
    shelves = [node(tmp_path, name, home) for name in ("one", "two")]
    write(shelves, 2)
    (shelves[1].folder / "step-00000004").write_text("a file where the folder has to be")
    ends = write(shelves, 4)
    assert [type(end) for end in ends] == [UsageError, UsageError]
    assert all("step 4 could not be written" in str(end) for end in ends)
    assert checkpoint_store.newest(home).manifest.step == 2


def test_ranks_that_a_lost_node_left_behind_can_overwrite_nothing(tmp_path, home):
    old = [node(tmp_path, name, home, "old") for name in ("one", "two")]
    write(old, 2)
    new = [node(tmp_path, name, home, "new") for name in ("three", "four")]
    write(new, 4)
    before = {file.uri: (file.bytes, file.modified_s) for file in storage.listed(home)}
    ends = write(old, 4)
    assert all(type(end) is TalkvidError and "another training" in str(end) for end in ends)
    assert {uri: state for uri, state in before.items() if not Path(uri).is_file() or Path(uri).stat().st_mtime != state[1]} == {}
    assert numbers(new[0], checkpoint_store.newest(home).place) == [40.0, 40.0, 41.0, 41.0]


def test_what_a_machine_has_is_not_fetched_again_unless_it_changed(tmp_path, home, monkeypatch):
    shelves = [node(tmp_path, name, home) for name in ("one", "two")]
    shelves[0].keep_frozen({"still": torch.zeros(3)})
    write(shelves, 2)
    fetched: list[str] = []
    real = storage.fetch
    monkeypatch.setattr(storage, "fetch", lambda uri, path: (fetched.append(uri.rpartition("/")[2]), real(uri, path)))
    place = checkpoint_store.newest(home).place
    shelves[1].opened(place)
    assert sorted(fetched) == ["frozen.pt", "shard-00000-of-00002.one.pt"]
    shelves[1].opened(place)
    assert len(fetched) == 2
    node(tmp_path, "three", home).keep_frozen({"still": torch.ones(3)})
    os.utime(f"{home}/frozen.pt", (9e8, 9e8))
    assert shelves[1].opened(place).frozen()["still"].tolist() == [1.0, 1.0, 1.0]
    assert fetched[2:] == ["frozen.pt"]


def test_a_rank_takes_up_its_metrics_where_the_store_has_them(tmp_path, home):
    for name in ("config.yaml", "snapshot.json"):
        storage.put_bytes(b"{}", f"{home}/{name}")
    first, other = node(tmp_path, "one", home), node(tmp_path, "two", home)
    for shelf in (first, other):
        (shelf.folder / "seen").mkdir()
        (shelf.folder / "seen/rank-00000.jsonl").write_text("of a launch before\n")
    first.ready(0)
    assert not (first.folder / "seen/rank-00000.jsonl").exists(), "the store knows of none"
    (first.folder / "seen/rank-00000.jsonl").write_text("one\n")
    (first.folder / "events.out.1").write_bytes(b"one")
    first.share_metrics(0)
    other.ready(0)
    assert (other.folder / "seen/rank-00000.jsonl").read_text() == "one\n"
    assert tops(home) == {"config.yaml", "snapshot.json", "launch", "seen", "events.out.1"}
    (first.folder / "events.out.1").write_bytes(b"one, two")
    first.share_metrics(0, due=True)
    assert storage.size(f"{home}/events.out.1") == 3, "not yet due"


def test_copies_of_a_run_that_went_on_elsewhere_go_after_a_week(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKVID_SCRATCH", str(tmp_path))
    shelves = [StoreShelf.of(f"s3a://bucket/{name}/stage_1") for name in ("old", "new")]
    for shelf in shelves:
        (shelf.folder / "frozen.pt").write_bytes(b"weights")
    for path in (shelves[0].folder.parent, *shelves[0].folder.parent.rglob("*")):
        os.utime(path, (time.time() - 8 * 86400, time.time() - 8 * 86400))
    StoreShelf.of("s3a://bucket/third/stage_1")
    assert [shelf.folder.exists() for shelf in shelves] == [False, True]


def test_a_machine_that_does_not_see_the_folder_says_so(tmp_path):
    with pytest.raises(MissingError, match="all ranks must see the output"):
        Shelf(tmp_path).ready(0)


@pytest.fixture
def stage(s3_server, tmp_path: Path) -> str:
    """A stage on a real S3 server."""
    return f"s3a://lake-bucket/{tmp_path.name}/stage_3"


def test_a_stage_in_a_store_goes_on_on_another_machine_as_if_undisturbed(stage, tmp_path, monkeypatch):
    write_config(tmp_path / "whole" / "stage_3", 3)
    train(Job(tmp_path / "whole" / "stage_3", device="cpu", quiet=True), ToySource())
    for machine, steps in (("one", 4), ("two", 6)):
        monkeypatch.setenv("TALKVID_SCRATCH", str(tmp_path / machine))
        storage.put_bytes(write_config(tmp_path / "settings", 3, steps=steps).text().encode(), f"{stage}/config.yaml")
        source = ToySource()
        shelf = StoreShelf.of(stage)
        shelf.ready(0)
        train(Job(stage, device="cpu", quiet=True), source, shelf)
        assert source.asked[0] == (0 if machine == "one" else 4)
        assert list((tmp_path / machine).iterdir()) == [], "a machine keeps nothing once all is done"
    there = tmp_path / "there"
    for file in storage.listed(stage):
        target = there / file.uri.removeprefix(f"{stage}/")
        target.parent.mkdir(parents=True, exist_ok=True)
        storage.fetch(file.uri, target)
    told, expected = ({step: records[-1]["train/loss"] for step, records in seen(folder)[0].items()} for folder in (there, tmp_path / "whole" / "stage_3"))
    assert told == expected and sorted(told) == [1, 2, 3, 4, 5, 6]
    note, model = exported.note_of(stage), exported.find(tmp_path / "whole" / "stage_3")
    assert note is not None and (note["step"], note["fingerprint"]) == (6, model.fingerprint)
    assert exported.find(stage).fingerprint == model.fingerprint
    assert json.loads((there / "step-00000006" / "manifest.json").read_text())["step"] == 6
    assert list(there.glob("events.out.*"))
