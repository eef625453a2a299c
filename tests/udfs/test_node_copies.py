"""A prefix as a folder of this node: copied once, brought up to date, and only so many of them."""

from pathlib import Path

import pytest

from schemas import storage
from udfs import node_copies
from udfs.node_copies import node_copy


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Something to copy, and a scratch folder."""
    monkeypatch.setenv("TALKVID_SCRATCH", str(tmp_path / "scratch"))
    (tmp_path / "source" / "model").mkdir(parents=True)
    (tmp_path / "source" / "model" / "net.bin").write_bytes(b"weights")
    (tmp_path / "source" / "step").write_bytes(b"not wanted")
    return tmp_path / "source"


def test_a_prefix_is_copied_once_and_follows_the_store(source, monkeypatch):
    fetched: list[str] = []
    real = storage.fetch
    monkeypatch.setattr(storage, "fetch", lambda uri, path: (fetched.append(uri), real(uri, path)))
    wanted = lambda name: name.startswith("model/")
    place = node_copy(str(source), wanted)
    assert [path.name for path in place.rglob("*") if path.is_file()] == ["net.bin"] and node_copy(str(source), wanted) == place
    assert len(fetched) == 1
    (source / "model" / "net.bin").write_bytes(b"other weights")
    (source / "model" / "more.bin").write_bytes(b"more")
    node_copy(str(source), wanted)
    assert (place / "model" / "net.bin").read_bytes() == b"other weights" and len(fetched) == 3
    (source / "model" / "more.bin").unlink()
    assert not (node_copy(str(source), wanted) / "model" / "more.bin").exists()


def test_only_so_many_prefixes_are_kept(source, monkeypatch):
    monkeypatch.setattr(node_copies, "MOST_COPIES", 1)
    first = node_copy(str(source))
    second = node_copy(str(source / "model"))
    assert not first.exists() and (second / "net.bin").exists()
