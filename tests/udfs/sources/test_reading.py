"""What each word of the command line means."""

import json
from pathlib import Path

import pytest

from schemas.errors import MissingError, UsageError
from udfs.sources.reading import kind_of, read_sources

ID = "Tr6MMsoWAog"
MP4_START = bytes.fromhex("00000018667479706d703432") + bytes(64)


def test_kind_of_a_file_follows_its_first_bytes_then_its_name(tmp_path: Path):
    kinds = {"v.json": MP4_START, "v.txt": MP4_START, "m.json": b"[]", "m.jsonl": b'{"a":1}', "m": b' [{"a":1}]', "l.txt": b"[x].mp4", "x.mp4": b"hello"}
    for name, content in kinds.items():
        (tmp_path / name).write_bytes(content)
    assert {name: kind_of(str(tmp_path / name)) for name in kinds} == {
        "v.json": "files",
        "v.txt": "files",
        "m.json": "talkvid",
        "m.jsonl": "talkvid",
        "m": "talkvid",
        "l.txt": "list",
        "x.mp4": "files",
    }


def test_list_has_paths_folders_addresses_ids_and_comments(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    for name in ("-a b.mp4", "sub/c.mp4", "sub/d.mp4"):
        (tmp_path / name).write_bytes(b"x")
    lines = ["# comment", "", "-a b.mp4\r", "sub", "gone.mp4", ID, "http://127.0.0.1/x.mp4", str(tmp_path / "sub/c.mp4")]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    found = read_sources([str(tmp_path / "list.txt")], download=True)
    assert [source.uri.removeprefix(f"{tmp_path}/") for source in found] == [
        "-a b.mp4",
        "sub/c.mp4",
        "sub/d.mp4",
        "gone.mp4",
        f"https://www.youtube.com/watch?v={ID}",
        "http://127.0.0.1/x.mp4",
    ]
    assert [source.is_absent for source in found] == [False, False, False, True, False, False]


def test_addresses_without_leave_to_download_are_problems_or_a_mistake(tmp_path: Path):
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "list.txt").write_text(f"a.mp4\n{ID}\n")
    good, address = read_sources([str(tmp_path / "list.txt")])
    assert good.problem is None
    assert (address.problem.code, address.fingerprint) == ("download_failed", "address-only")
    with pytest.raises(UsageError, match="--download"):
        read_sources([f"https://youtu.be/{ID}"])


def test_same_file_by_folder_and_manifest_is_one_source_with_all_that_was_said(tmp_path: Path):
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "a.vtt").write_bytes(b"x")
    (tmp_path / "m.json").write_text(json.dumps([{"video-path": "a.mp4", "video-id": "one", "start-time": 0, "end-time": 5}]))
    (source,) = read_sources([str(tmp_path), str(tmp_path / "m.json")])
    assert source.video_id == "one"
    assert len(source.spans) == 1
    assert source.subtitle_uri == str(tmp_path / "a.vtt")


@pytest.mark.parametrize(
    ("word", "says"),
    [("/nowhere/at/all", "no file or folder"), (ID, "--download if it is a YouTube id"), ("/nowhere/*.mp4", "nothing matches")],
)
def test_word_that_means_nothing_is_one_sentence(word: str, says: str):
    with pytest.raises(MissingError, match=says):
        read_sources([word])


def test_folder_is_no_manifest(tmp_path: Path):
    with pytest.raises(UsageError, match="takes a file"):
        read_sources([str(tmp_path)], kind="talkvid")


def test_binary_list_is_one_sentence(tmp_path: Path):
    (tmp_path / "l.txt").write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(UsageError, match="no UTF-8 text list"):
        read_sources([str(tmp_path / "l.txt")], kind="list")


def test_file_whose_name_has_glob_characters_is_that_file(tmp_path: Path):
    (tmp_path / "a[1].mp4").write_bytes(b"x")
    (source,) = read_sources([str(tmp_path / "a[1].mp4")])
    assert source.uri == str(tmp_path / "a[1].mp4")
