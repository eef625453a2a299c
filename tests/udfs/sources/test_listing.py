"""Folders as sources: what is a candidate, in which order, with which sidecars."""

import os
from pathlib import Path

import pytest

from schemas.errors import MissingError, UsageError
from udfs.sources.listing import PassedOver, file_source, folder_sources, glob_sources, store_sources

MP4_START = bytes.fromhex("00000018667479706d703432") + bytes(64)
HOSTILE = ["with space.mp4", "quote'\".mp4", "semi;colon.mp4", "-rf.mp4", "ünïcödé 日本.mp4", "$(touch x).mp4", "per%20cent#a?b.mp4", "new\nline.mp4"]


def names(sources) -> list[str]:
    """Names of the files of sources, in their order."""
    return [os.path.basename(source.uri) for source in sources]


def test_hostile_names_are_plain_absolute_paths(tmp_path: Path):
    for name in HOSTILE:
        (tmp_path / name).write_bytes(b"x")
    found = list(folder_sources(str(tmp_path)))
    assert sorted(names(found)) == sorted(HOSTILE)
    assert all(Path(source.uri).read_bytes() == b"x" for source in found)
    assert all(source.bytes == 1 and source.mtime_ns == os.stat(source.uri).st_mtime_ns for source in found)


def test_extensions_are_not_trusted_but_sidecars_and_unfinished_files_are_passed_over(tmp_path: Path):
    for name in ("a.mp4", "b", "c.weird", "notes.txt", "notes.json", "picture.jpg", "half.mp4.part", ".hidden.mp4", "a.vtt"):
        (tmp_path / name).write_bytes(b"text")
    (tmp_path / "really_a_video.txt").write_bytes(MP4_START)
    assert names(folder_sources(str(tmp_path))) == ["a.mp4", "b", "c.weird", "really_a_video.txt"]


def test_order_is_stable_and_folders_are_entered_once(tmp_path: Path):
    for name in ("z.mp4", "a/2.mp4", "a/10.mp4", "b/1.mp4", ".git/x.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "b" / "round").symlink_to(tmp_path)
    (tmp_path / "c").symlink_to(tmp_path / "a")
    assert [source.uri.removeprefix(f"{tmp_path}/") for source in folder_sources(str(tmp_path))] == ["z.mp4", "a/10.mp4", "a/2.mp4", "b/1.mp4"]


def test_excluded_folder_is_not_entered_unless_it_was_named_itself(tmp_path: Path):
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "a.parquet.mp4").write_bytes(b"x")
    excluded = {str((tmp_path / "lake").resolve())}
    assert list(folder_sources(str(tmp_path), excluded)) == []
    assert len(list(folder_sources(str(tmp_path / "lake"), excluded))) == 1


def test_subtitles_and_sound_of_the_same_stem_lie_beside_their_video(tmp_path: Path):
    for name in ("talk.mp4", "talk.m4a", "talk.en.vtt", "talk.de.vtt", "other.mp4", "other.srt", "lone.m4a", "v1.final.mp4", "v1.final.vtt"):
        (tmp_path / name).write_bytes(b"x")
    found = {os.path.basename(source.uri): source for source in folder_sources(str(tmp_path))}
    assert sorted(found) == ["lone.m4a", "other.mp4", "talk.mp4", "v1.final.mp4"]
    assert found["talk.mp4"].audio_uri == str(tmp_path / "talk.m4a")
    assert found["talk.mp4"].subtitle_uri == str(tmp_path / "talk.en.vtt")
    assert found["other.mp4"].subtitle_uri == str(tmp_path / "other.srt")
    assert found["v1.final.mp4"].subtitle_uri == str(tmp_path / "v1.final.vtt")
    assert found["lone.m4a"].audio_uri is None


def test_one_named_file_has_the_same_sidecars_as_in_its_folder(tmp_path: Path):
    for name in ("talk.mp4", "talk.m4a", "talk.vtt", "talker.mp4"):
        (tmp_path / name).write_bytes(b"x")
    in_folder = next(source for source in folder_sources(str(tmp_path)) if source.uri.endswith("talk.mp4"))
    assert file_source(str(tmp_path / "talk.mp4")) == in_folder


def test_file_that_is_not_there_is_absent_and_a_pipe_is_a_mistake(tmp_path: Path):
    assert file_source(str(tmp_path / "gone.mp4")).is_absent
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(UsageError, match="no regular file"):
        file_source(str(tmp_path / "pipe.mp4"))
    assert list(folder_sources(str(tmp_path))) == []


def litter(folder: Path) -> None:
    """A talk with its subtitles and sound, and what lies about beside it."""
    for name in ("talk.mp4", "talk.vtt", "talk.m4a", "notes.txt", "picture.jpg", "other.srt", ".hidden.mp4", "half.mp4.part"):
        (folder / name).write_bytes(b"x")
    (folder / "dir.mp4").mkdir()
    (folder / "dir.mp4" / "inside.mp4").write_bytes(b"x")
    for name in ("pipe.mp4", ".pipe.mp4", "pipe.txt"):
        os.mkfifo(folder / name)
    (folder / "link.mp4").symlink_to(folder / "pipe.mp4")


def test_what_a_folder_holds_beside_videos_is_counted_and_a_pipe_is_never_opened(tmp_path: Path):
    litter(tmp_path)
    passed = PassedOver()
    assert names(folder_sources(str(tmp_path), passed=passed)) == ["talk.mp4", "inside.mp4"]
    assert passed == PassedOver(irregular=["link.mp4", "pipe.mp4"], other=4, unfinished=3)


def test_what_a_glob_matches_beside_videos_is_counted_too(tmp_path: Path):
    litter(tmp_path)
    passed = PassedOver()
    assert names(glob_sources(str(tmp_path / "*"), passed=passed)) == ["inside.mp4", "talk.m4a", "talk.mp4"]
    assert passed == PassedOver(irregular=["link.mp4", "pipe.mp4"], other=4, unfinished=1)


def test_what_a_store_holds_beside_videos_is_counted_too(tmp_path: Path):
    for name in ("talk.mp4", "talk.vtt", "notes.txt", ".hidden.mp4"):
        (tmp_path / name).write_bytes(b"x")
    passed = PassedOver()
    assert len(store_sources(f"file://{tmp_path}", passed=passed)) == 1
    assert passed == PassedOver(other=1, unfinished=1)


def test_link_to_nothing_in_a_folder_is_an_absent_source(tmp_path: Path):
    (tmp_path / "a.mp4").symlink_to(tmp_path / "nowhere")
    (found,) = folder_sources(str(tmp_path))
    assert found.is_absent


def test_name_that_is_no_utf8_is_a_source_with_a_problem(tmp_path: Path):
    path = os.fsencode(tmp_path) + b"/bad\xff.mp4"
    with open(path, "wb"):
        pass
    (found,) = folder_sources(str(tmp_path))
    assert found.problem.code == "not_media"
    assert found.uri.encode("utf-8").endswith(b"bad\\xff.mp4")


def test_glob_without_a_match_names_the_pattern(tmp_path: Path):
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "a.txt").write_bytes(b"x")
    assert names(glob_sources(str(tmp_path / "*"))) == ["a.mp4"]
    with pytest.raises(MissingError, match="nothing matches"):
        glob_sources(str(tmp_path / "*.mkv"))


def test_object_store_is_listed_below_a_prefix(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    for name in ("a.mp4", "a.vtt", "notes.json", "sub/b.mp4"):
        (tmp_path / name).write_bytes(b"xyz")
    found = store_sources(f"file://{tmp_path}")
    assert [source.uri for source in found] == [f"file://{tmp_path}/a.mp4", f"file://{tmp_path}/sub/b.mp4"]
    assert found[0].subtitle_uri == f"file://{tmp_path}/a.vtt"
    assert found[0].bytes == 3
