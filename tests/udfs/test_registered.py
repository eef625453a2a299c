"""How closely a file is looked at before it counts as the registered one."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pyarrow import fs

from schemas.codes import Rejected
from udfs import registered
from udfs.media import staged
from udfs.registered import Registered, digest
from udfs.staging import gone

BYTES = b"moving pictures"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A registered file."""
    path = tmp_path / "a.mp4"
    path.write_bytes(BYTES)
    return path


@pytest.fixture
def hashed(monkeypatch) -> list[Path]:
    """The files that were read for a hash."""
    seen: list[Path] = []
    monkeypatch.setattr(registered, "_SHA256", {})
    monkeypatch.setattr(registered, "digest", lambda path: seen.append(path) or digest(path))
    return seen


def seen_at_ingest(path: Path) -> Registered:
    """What ingest keeps of a file that it refers to."""
    return Registered(path.stat().st_size, digest(path), path.stat().st_mtime_ns, path.stat().st_mtime_ns + 1)


def opened(uri: Path | str, known: Registered) -> str | None:
    """Why a file is not opened."""
    try:
        with staged(uri, known):
            return None
    except Rejected as rejection:
        assert rejection.code == "vanished"
        return rejection.detail


def test_file_as_it_was_is_looked_at_once_per_opening_and_never_read(file, hashed, monkeypatch):
    known = seen_at_ingest(file)
    looks: list[object] = []
    real: Callable[..., os.stat_result] = os.stat
    monkeypatch.setattr(os, "stat", lambda path, *args, **options: looks.append(path) or real(path, *args, **options))
    assert opened(file, known) is None
    monkeypatch.undo()
    assert (looks, hashed) == ([file], [])


def test_file_of_another_size_is_not_read(file, hashed):
    known = seen_at_ingest(file)
    file.write_bytes(BYTES + b"!")
    assert opened(file, known) == "the file is another one than was registered (15 bytes then, 16 now); ingest it again"
    assert hashed == []


def test_touched_file_is_read_once_in_a_process(file, hashed):
    known = seen_at_ingest(file)
    os.utime(file, ns=(5, 5))
    assert [opened(file, known), opened(file, known)] == [None, None]
    assert hashed == [file]


def test_other_bytes_of_the_same_size_are_found_and_each_change_anew(file, hashed):
    known = seen_at_ingest(file)
    file.write_bytes(BYTES[::-1])
    os.utime(file, ns=(5, 5))
    assert opened(file, known) == "the file is another one than was registered, of the same 15 bytes; ingest it again"
    file.write_bytes(BYTES)
    os.utime(file, ns=(6, 6))
    assert opened(file, known) is None
    assert len(hashed) == 2


def test_media_of_the_lake_itself_is_read_only_when_written_since(file, hashed):
    copied = Registered(15, digest(file), None, file.stat().st_mtime_ns)
    assert opened(file, copied) is None and hashed == []
    file.write_bytes(BYTES[::-1])
    os.utime(file, ns=(5, file.stat().st_mtime_ns + 1_000_000_000))
    assert "another one" in (opened(file, copied) or "") and hashed == [file]


def test_pipe_in_the_place_of_a_file_is_never_opened(file):
    known = seen_at_ingest(file)
    file.unlink()
    os.mkfifo(file)
    assert "another one" in (opened(file, known) or "")


def test_driver_looks_at_bytes_only_of_what_failed_before(file, hashed):
    known = seen_at_ingest(file)
    file.write_bytes(BYTES[::-1])
    os.utime(file, ns=(5, 5))
    assert gone(str(file), known, failed_before=False) is None and hashed == []
    assert gone(str(file), known, failed_before=True) and hashed == [file]
    assert gone("s3://bucket/a.mp4", known, failed_before=True) is None
    file.unlink()
    assert gone(str(file), known, failed_before=False) == gone(str(file), None, failed_before=False) == "the file is not there any more"


@pytest.fixture
def store(tmp_path, monkeypatch) -> Path:
    """A folder that answers for s3://."""
    monkeypatch.setenv("TALKVID_SCRATCH", str(tmp_path / "scratch"))
    monkeypatch.setattr("schemas.storage.filesystem", lambda uri: (fs.LocalFileSystem(), str(tmp_path / uri.rpartition("/")[2])))
    return tmp_path


def test_object_that_was_replaced_is_not_used(file, store, hashed):
    known = seen_at_ingest(file)
    assert opened("s3://bucket/a.mp4", known) is None and hashed == []
    file.write_bytes(BYTES + b"!")
    assert "(15 bytes then, 16 now)" in (opened("s3://bucket/a.mp4", known) or "")
    file.write_bytes(BYTES[::-1])
    os.utime(file, ns=(5, 5))
    assert "of the same 15 bytes" in (opened("s3://bucket/a.mp4", known) or "") and len(hashed) == 1


def test_object_written_anew_with_the_same_bytes_is_read_once_in_a_process(file, store, hashed):
    known = seen_at_ingest(file)
    os.utime(file, ns=(5, 5))
    assert [opened("s3://bucket/a.mp4", known), opened("s3://bucket/a.mp4", known)] == [None, None]
    assert len(hashed) == 1


def test_object_whose_time_a_list_told_more_exactly_is_the_same(file, store, hashed):
    os.utime(file, ns=(0, 7_000_000_000))
    known = Registered(15, digest(file), 7_123_000_000, None)
    assert opened("s3://bucket/a.mp4", known) is None and hashed == []


def test_nothing_is_asked_of_a_file_about_which_nothing_is_known(file):
    assert Registered.read(None) is None
    with staged(file, None) as path:
        assert path == file
    assert Registered.read("15:::abc") == Registered(15, "abc")
    assert Registered.read("15:3:4:abc") == Registered(15, "abc", 3, 4)
