"""Whole files at any address: the same words for a folder and, where the server was built, for S3."""

from pathlib import Path

import pytest

from schemas import s3, storage
from schemas.errors import MissingError, UsageError
from schemas.place import Place


@pytest.fixture(params=["folder", pytest.param("store", marks=pytest.mark.store)])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An address to write below."""
    if request.param == "folder":
        return str(tmp_path / "base")
    request.getfixturevalue("s3_server")
    return f"s3a://lake-bucket/{tmp_path.name}"


def test_what_is_put_is_there_whole_and_can_be_moved_and_deleted(base, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"moving pictures")
    storage.put_file(tmp_path / "clip.mp4", storage.at(base, "a", "clip.mp4"))
    storage.put_bytes(b"page", storage.at(base, "page.html"))
    assert [(file.uri, file.bytes) for file in storage.listed(base)] == [(f"{base}/a/clip.mp4", 15), (f"{base}/page.html", 4)]
    assert storage.read_bytes(f"{base}/page.html") == b"page" and storage.read_bytes(f"{base}/a/clip.mp4", 6) == b"moving"
    storage.move(f"{base}/a/clip.mp4", f"{base}/b/clip.mp4")
    storage.copy(f"{base}/b/clip.mp4", f"{base}/c/copy.mp4")
    assert storage.read_bytes(f"{base}/c/copy.mp4") == storage.read_bytes(f"{base}/b/clip.mp4")
    storage.delete(f"{base}/c/copy.mp4")
    assert not storage.exists(f"{base}/a/clip.mp4") and storage.size(f"{base}/b/clip.mp4") == 15
    storage.fetch(f"{base}/b/clip.mp4", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"moving pictures"
    with storage.open_file(f"{base}/b/clip.mp4") as file:
        file.seek(7)
        assert file.read(4) == b"pict"
    assert storage.delete(f"{base}/page.html") and not storage.delete(f"{base}/page.html")
    assert storage.delete_below(base) == 1 and storage.listed(base) == []


def test_addresses_are_compared_by_where_they_lead_in_a_folder_and_by_their_letters_in_a_store(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    assert storage.same(f"{tmp_path}/link/a", f"{tmp_path}/there/a") and not storage.same(f"{tmp_path}/link", f"{tmp_path}/there/a")
    assert storage.same("s3a://bucket/a", "s3a://bucket/a") and not storage.same("s3a://bucket/a/../b", "s3a://bucket/b")


def test_what_begins_with_a_name_is_listed_alone(base):
    for name in ("stage_1/a", "stage_1.before/b/c", "stage_1.txt", "stage_2/a", "other/stage_1"):
        storage.put_bytes(b"x", storage.at(base, name))
    found = [file.uri.removeprefix(f"{base}/") for file in storage.listed(base, beginning="stage_1")]
    assert sorted(found) == ["stage_1.before/b/c", "stage_1.txt", "stage_1/a"]


def test_what_breaks_off_leaves_nothing_under_its_name(base):
    with pytest.raises(ZeroDivisionError), storage.writing(f"{base}/half") as file:
        file.write(b"half of it")
        raise ZeroDivisionError
    assert storage.listed(base) == []


def test_what_is_not_there_is_none_or_less_than_nothing(base):
    assert storage.read_bytes(f"{base}/gone") is None and storage.size(f"{base}/gone") == -1 and storage.listed(f"{base}/gone") == []
    with pytest.raises(FileNotFoundError):
        storage.open_file(f"{base}/gone")


def test_a_place_to_write_is_tried_without_leaving_anything(base):
    storage.check_writable(f"{base}/deep/er/out.mp4")
    assert storage.listed(base) == []


def test_a_place_that_cannot_be_written_is_told_in_one_sentence(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for name in (tmp_path / "file" / "o.mp4", "/proc/o.mp4", tmp_path / f"{'o' * 300}.mp4", f"{tmp_path}/a\0b/o.mp4"):
        with pytest.raises(UsageError, match="cannot be written"):
            storage.check_writable(str(name))
    with pytest.raises(UsageError, match="is a folder"):
        storage.check_writable(str(tmp_path))


def test_large_files_go_up_in_parts_and_a_broken_upload_leaves_none(s3_server, tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "ONE_PUT_BYTES", 5 << 20)
    (tmp_path / "large").write_bytes(b"0123456789abcdef" * (11 << 16))
    storage.put_file(tmp_path / "large", "s3a://lake-bucket/parts/large")
    storage.fetch("s3a://lake-bucket/parts/large", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "large").read_bytes()
    bucket = {"Bucket": "lake-bucket"}
    client = s3.client()
    monkeypatch.setattr(client, "complete_multipart_upload", None)
    with pytest.raises(TypeError):
        storage.put_file(tmp_path / "large", "s3a://lake-bucket/parts/broken")
    assert client.list_multipart_uploads(**bucket).get("Uploads", []) == [] and not storage.exists("s3a://lake-bucket/parts/broken")


@pytest.mark.parametrize("spelling", ["s3://lake-bucket/l", "s3a://lake-bucket/l/", "s3n://lake-bucket/l"])
def test_one_lake_has_one_name_however_it_is_spelled(spelling):
    place = Place.of(spelling)
    assert place.root == "s3a://lake-bucket/l" and place.table_for_rust("runs") == "s3://lake-bucket/l/tables/runs"


@pytest.mark.parametrize("name", ["gs://bucket/l", "s3a://ab/l", "s3a://bucket/a b", "s3a://bucket/%41", "s3a:///l"])
def test_a_lake_that_cannot_be_is_refused(name):
    with pytest.raises(UsageError, match="--lake"):
        Place.of(name)


def test_http_is_allowed_for_an_http_endpoint_only(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://store.example")
    assert s3.rust_options()["AWS_ALLOW_HTTP"] == "false"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert s3.rust_options()["AWS_ALLOW_HTTP"] == "true"
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert "AWS_ALLOW_HTTP" not in s3.rust_options() and "AWS_SECRET_ACCESS_KEY" not in s3.rust_options()


def test_a_store_that_cannot_be_used_is_told_in_one_sentence(s3_server, monkeypatch):
    with pytest.raises(MissingError, match="there is no bucket no-bucket"):
        storage.put_bytes(b"", "s3a://no-bucket/x")
    with pytest.raises(MissingError, match="there is no bucket no-bucket"):
        storage.check_writable("s3a://no-bucket/x")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    with pytest.raises(MissingError, match="refuses") as told:
        storage.put_bytes(b"", "s3a://lake-bucket/x")
    assert s3_server.secret not in str(told.value)


def test_nothing_lies_below_a_file(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    assert storage.read_bytes(str(tmp_path / "file" / "below")) is None
