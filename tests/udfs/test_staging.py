from pathlib import Path

import pytest
from pyarrow import fs

from schemas.codes import Rejected
from udfs.media import local_path, staged


@pytest.mark.parametrize("name", ["plain.mp4", "with space.mp4", "100%25 #1?.mp4", "-dash.mp4", "naïve.mp4"])
def test_local_files_are_used_where_they_lie(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    for uri in (tmp_path / name, str(tmp_path / name), (tmp_path / name).as_uri()):
        with staged(uri) as path:
            assert path.samefile(tmp_path / name)
    assert (tmp_path / name).exists()


def test_file_uri_with_bare_spaces_works(tmp_path):
    assert local_path(f"file://{tmp_path}/a b.mp4") == tmp_path / "a b.mp4"
    assert local_path(f"file:{tmp_path}/a.mp4") == tmp_path / "a.mp4"
    assert local_path("s3://bucket/a.mp4") is None


def test_missing_file_has_vanished(tmp_path):
    with pytest.raises(Rejected, match="vanished"), staged(tmp_path / "gone.mp4"):
        pass


@pytest.fixture
def store(tmp_path, monkeypatch) -> Path:
    """A folder that answers for s3://."""
    monkeypatch.setenv("TALKVID_SCRATCH", str(tmp_path / "scratch"))
    bucket = tmp_path / "bucket"
    bucket.mkdir()
    monkeypatch.setattr("schemas.storage.filesystem", lambda uri: (fs.LocalFileSystem(), str(bucket / uri.rpartition("/")[2])))
    return bucket


@pytest.mark.parametrize("scheme", ["s3", "s3a"])
def test_remote_object_is_copied_and_removed(store, tmp_path, scheme):
    (store / "a.mp4").write_bytes(b"moving pictures")
    with staged(f"{scheme}://bucket/a.mp4") as path:
        assert path.read_bytes() == b"moving pictures"
        assert path.is_relative_to(tmp_path / "scratch")
    assert list((tmp_path / "scratch").iterdir()) == []


def test_missing_object_has_vanished(store):
    with pytest.raises(Rejected, match="vanished"), staged("s3://bucket/gone.mp4"):
        pass


def test_object_that_does_not_fit_is_too_large(store, monkeypatch):
    (store / "a.mp4").write_bytes(b"moving pictures")
    monkeypatch.setattr("udfs.staging.MAX_STAGED_BYTES", 10)
    with pytest.raises(Rejected, match="too_large"), staged("s3://bucket/a.mp4"):
        pass
