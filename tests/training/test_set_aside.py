"""What a run does not go on from: under another address, whole, wherever the move breaks off."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from schemas import storage
from schemas.errors import MissingError
from training import checkpoint_store
from training.checkpoints import Manifest, step_name
from training.set_aside import set_aside

BESIDE = ("config.yaml", "snapshot.json", "frozen.pt")


@pytest.fixture(params=["folder", pytest.param("store", marks=pytest.mark.store)])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An address to keep stages below."""
    if request.param == "folder":
        return str(tmp_path)
    request.getfixturevalue("s3_server")
    return f"s3a://lake-bucket/{tmp_path.name}"


def stage_of(home: str, *steps: int) -> str:
    """A stage with these steps and the model of the last."""
    files = {name: name for name in BESIDE} | {"launch": "one", "seen/rank-00000.jsonl": "{}\n", "model/model.json": "{}", "model/audio_projection.bin": "m"}
    for step in steps:
        files[f"{step_name(step)}/shard-00000-of-00001.pt"] = f"weights of {step}"
        manifest = Manifest(step, 1, "smoke", "fp32", 1, 1, True, 0, {"shard-00000-of-00001.pt": len(f"weights of {step}")})
        files[f"{step_name(step)}/manifest.json"] = manifest.text()
    for name, text in files.items():
        storage.put_bytes(text.encode(), f"{home}/stage_1/{name}")
    return f"{home}/stage_1"


def tops(stage: str) -> set[str]:
    return {name.partition("/")[0] for name in checkpoint_store.listed(stage)}


def whole_steps(stage: str) -> set[int]:
    """Steps that can be gone on from: with what belongs to them."""
    there, whole = checkpoint_store.listed(stage), set()
    for number, name in checkpoint_store.steps(there):
        try:
            checkpoint_store.found(f"{stage}/{name}")
        except MissingError:
            continue
        assert storage.read_bytes(f"{stage}/{name}/shard-00000-of-00001.pt") == f"weights of {number}".encode()
        assert all(storage.read_bytes(f"{stage}/{beside}") == beside.encode() for beside in BESIDE)
        whole.add(number)
    return whole


def test_what_comes_after_a_step_is_set_aside_whole(base):
    stage = stage_of(base, 2, 4, 6)
    assert set_aside(stage, checkpoint_store.found(f"{stage}/step-00000006")) is None
    aside = set_aside(stage, checkpoint_store.found(f"{stage}/step-00000002"))
    assert aside is not None and tops(aside) == {*BESIDE, "model", "step-00000004", "step-00000006"}
    assert tops(stage) == {*BESIDE, "launch", "seen", "step-00000002"}
    assert (whole_steps(stage), whole_steps(aside)) == ({2}, {4, 6})
    storage.put_bytes(b"of another run", f"{stage}/frozen.pt")
    assert whole_steps(aside) == {4, 6}, "a copy of its own"


def test_a_run_from_the_start_or_from_elsewhere_leaves_nothing_of_the_stage(base):
    other = checkpoint_store.newest(stage_of(f"{base}/other", 2))
    for number, step in enumerate((None, other)):
        stage = stage_of(f"{base}/{number}", 2, 4)
        aside = set_aside(stage, step)
        assert aside is not None and tops(stage) == set() and whole_steps(aside) == {2, 4}
        assert tops(aside) == {*BESIDE, "launch", "seen", "model", "step-00000002", "step-00000004"}


def asides(home: str) -> set[str]:
    return {f"{home}/{name}" for file in storage.listed(home, "stage_1.before-") if (name := file.uri.removeprefix(f"{home}/").partition("/")[0])}


@contextmanager
def breaking_off(monkeypatch: pytest.MonkeyPatch, before: int, *, as_in_store: bool) -> Iterator[None]:
    """Ctrl-C before so many files or folders were given another name, copied or deleted."""
    done = count()

    def counted(real: Callable) -> Callable:
        def work(*words: str) -> object:
            if next(done) == before:
                raise KeyboardInterrupt
            return real(*words)

        return work

    files = SimpleNamespace(**vars(storage))
    files.copy, files.delete = counted(storage.copy), counted(storage.delete)
    if as_in_store:
        files.is_remote = lambda uri: True
    with monkeypatch.context() as patch:
        patch.setattr("training.set_aside.storage", files)
        patch.setattr(os, "rename", counted(os.rename))
        yield


@pytest.mark.parametrize(("as_in_store", "start", "points"), [(False, None, 1), (False, 2, 6), (True, None, 26), (True, 2, 15)])
def test_wherever_it_breaks_off_each_step_is_whole_somewhere_and_the_next_time_all_are_aside(tmp_path, monkeypatch, as_in_store, start, points):
    times = (f"20260102T{number:06d}" for number in count())
    monkeypatch.setattr("training.set_aside.time", SimpleNamespace(strftime=lambda shape: next(times)))
    later = {2, 4, 6} if start is None else {4, 6}
    for before in range(points + 1):
        home, broken = f"{tmp_path}/{before}", False
        stage = stage_of(home, 2, 4, 6)
        step = None if start is None else checkpoint_store.found(f"{stage}/{step_name(start)}")
        try:
            with breaking_off(monkeypatch, before, as_in_store=as_in_store):
                set_aside(stage, step)
        except KeyboardInterrupt:
            broken = True
        assert broken == (before < points)
        assert set().union(*map(whole_steps, asides(home))) | whole_steps(stage) == {2, 4, 6}
        set_aside(stage, step)
        assert set().union(*map(whole_steps, asides(home))) == later
        assert whole_steps(stage) == {2, 4, 6} - later and storage.size(f"{stage}/model/model.json") < 0
