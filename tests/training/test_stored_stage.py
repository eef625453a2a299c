"""A stage whose home is elsewhere: whole steps go there as they are written, and a run goes on from them on another machine."""

import json
from pathlib import Path

import pytest

from schemas import storage
from training.checkpoints import newest
from training.stored_stage import StoredStage

MANIFEST = {"stage": 1, "model": "smoke", "precision": "fp32", "world": 1, "global_batch": 1, "random": True, "snapshot_version": 0}


def write_step(folder: Path, step: int) -> Path:
    """A step as `training.checkpoints` writes it."""
    place = folder / f"step-{step:08d}"
    place.mkdir(parents=True)
    (place / "shard-00000-of-00001.pt").write_bytes(b"weights" * step)
    files = {"shard-00000-of-00001.pt": 7 * step}
    (place / "manifest.json").write_text(json.dumps({**MANIFEST, "step": step, "files": files}))
    return place


@pytest.fixture
def home(tmp_path: Path) -> str:
    """Where the stage is kept."""
    return str(tmp_path / "home" / "stage_1")


def test_whole_steps_go_home_manifests_last_and_another_machine_goes_on_from_the_newest(tmp_path, home, monkeypatch):
    here = tmp_path / "here"
    put: list[str] = []
    real = storage.put_file
    monkeypatch.setattr(storage, "put_file", lambda path, uri: (put.append(uri), real(path, uri)))
    (here / ".step-00000009.part").mkdir(parents=True)
    (here / ".step-00000009.part" / "shard").write_bytes(b"half")
    (here / "config.yaml").write_text("steps: 9")
    for step in (2, 4):
        write_step(here, step)
    stage = StoredStage(here, home)
    stage.send()
    manifests = [number for number, uri in enumerate(put) if uri.endswith("manifest.json")]
    assert manifests == [len(put) - 2, len(put) - 1] and not any("part" in uri for uri in put)
    put.clear()
    stage.send()
    assert put == []
    there = tmp_path / "there"
    StoredStage(there, home).bring()
    step = newest(there)
    assert step is not None and step.manifest.step == 4 and (there / "config.yaml").read_text() == "steps: 9"
    assert sorted(path.name for path in there.iterdir()) == ["config.yaml", "step-00000004"]


def test_a_step_without_its_manifest_does_not_exist_and_pruned_steps_leave_home(tmp_path, home):
    here = tmp_path / "here"
    first = write_step(here, 2)
    stage = StoredStage(here, home)
    stage.send()
    storage.put_bytes(b"torn", f"{home}/step-00000006/shard-00000-of-00001.pt")
    there = tmp_path / "there"
    StoredStage(there, home).bring()
    step = newest(there)
    assert step is not None and step.manifest.step == 2
    write_step(here, 4)
    for path in first.iterdir():
        path.unlink()
    first.rmdir()
    stage.send()
    assert {file.uri.removeprefix(home + "/").partition("/")[0] for file in storage.listed(home)} == {"step-00000004"}


def test_what_is_written_meanwhile_is_sent_when_the_block_ends(tmp_path, home):
    with StoredStage(tmp_path / "here", home).sending():
        write_step(tmp_path / "here", 2)
    assert storage.exists(f"{home}/step-00000002/manifest.json")
