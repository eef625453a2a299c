"""TalkingHead-1KH's two lists."""

from pathlib import Path

import pytest

from schemas.errors import UsageError
from udfs.sources.reading import kind_of
from udfs.sources.talkinghead1kh import list_sources

FIRST, SECOND = "--Y9imYnfBw", "abcdefghijk"


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    """The `val` lists of two videos, one of them with tubes."""
    (tmp_path / "val_video_ids.txt").write_text(f"{FIRST}\n{SECOND}\nnot an id\n")
    tubes = [f"{FIRST}_0000, 720, 1280, 0, 271, 504, 63, 792, 351", f"{FIRST}_0001, 720, 1280, 25, 49, 504, 63, 792, 351", "nonsense"]
    (tmp_path / "val_video_tubes.txt").write_text("\n".join(tubes))
    return tmp_path


def test_both_lists_name_videos_to_download_and_bad_lines_are_problems(lists: Path):
    sources = list_sources(str(lists), download=True)
    first, second, *bad = sources
    assert (first.video_id, first.is_download, [tube.offset_s for tube in first.tubes]) == (FIRST, True, [0.0, 60.0])
    assert (second.video_id, second.tubes) == (SECOND, ())
    assert [source.uri.partition("#")[2] for source in bad] == ["line=3", "line=3"]


def test_one_list_by_name_stands_for_its_set(lists: Path):
    path = str(lists / "val_video_tubes.txt")
    assert kind_of(path) == "talkinghead1kh"
    assert list_sources(path, download=True) == list_sources(str(lists), download=True)


@pytest.mark.parametrize("place", ["raw_videos", "val/raw_videos", "."])
def test_whole_video_that_is_there_is_used(lists: Path, place: str):
    (lists / place).mkdir(parents=True, exist_ok=True)
    (lists / place / f"{FIRST}.mp4").write_bytes(b"x")
    first = list_sources(str(lists), download=False)[0]
    assert first.uri == str((lists / place / f"{FIRST}.mp4").resolve())
    assert (first.video_id, len(first.tubes), first.is_download) == (FIRST, 2, False)


def test_minutes_that_are_there_are_videos_of_their_own_with_times_from_their_start(lists: Path):
    (lists / "1min_clips").mkdir()
    (lists / "1min_clips" / f"{FIRST}_0001.mp4").write_bytes(b"x")
    chunk, rest = list_sources(str(lists), download=False)[:2]
    assert chunk.uri.endswith(f"{FIRST}_0001.mp4")
    assert [(tube.offset_s, tube.first_frame) for tube in chunk.tubes] == [(0.0, 25)]
    assert chunk.video_id is None
    assert (rest.is_download, len(rest.tubes)) == (True, 1)


def test_folder_without_lists_is_one_sentence(tmp_path: Path):
    with pytest.raises(UsageError, match="_video_tubes.txt"):
        list_sources(str(tmp_path), download=False)
