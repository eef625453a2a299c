"""What a worker makes of one source, without Spark."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.footage import moving_square
from udfs.registered import digest
from udfs.sources import shelf
from udfs.sources.listing import file_source
from udfs.sources.register import ROWS, Registration, item_of, register_items
from udfs.sources.source import Source, Span


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A silent video with a sound file and subtitles beside it."""
    folder = tmp_path_factory.mktemp("footage")
    moving_square(folder / "silent.mp4", seconds=2)
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=duration=2:sample_rate=22050", "-y", folder / "silent.m4a"], check=True)
    (folder / "silent.vtt").write_text("WEBVTT\n")
    return folder


def row_of(plan: Registration, source: Source) -> dict:
    """The one result row of one source; only declared columns."""
    ((index, (row,)),) = register_items(plan, [item_of(7, source)])
    assert index == 0
    assert row["number"] == 7
    assert set(row) <= set(ROWS.names)
    return row


def test_silent_video_takes_the_sound_that_lies_beside_it(folder: Path, tmp_path: Path):
    row = row_of(Registration(str(tmp_path)), file_source(str(folder / "silent.mp4")))
    assert (row["has_audio"], row["sample_rate"], row["audio_codec"]) == (True, 22050, None)
    assert row["audio_uri"] == str(folder / "silent.m4a")
    assert row["subtitle_uri"] == str(folder / "silent.vtt")
    assert (row["width"], row["height"], row["frames"], row["fps"]) == (64, 48, 50, 25.0)
    assert row["sha256"] == digest(folder / "silent.mp4")
    assert row["source"] == {"platform": "file"}
    assert row["remarks"] == []


def test_sidecars_that_cannot_be_used_cost_a_remark_and_not_the_video(folder: Path, tmp_path: Path):
    playlist = tmp_path / "sound.m4a"
    playlist.write_text("#EXTM3U\n/etc/passwd\n")
    source = replace(file_source(str(folder / "silent.mp4")), audio_uri=str(playlist), audio_is_named=True, subtitle_uri="/none.vtt")
    row = row_of(Registration(str(tmp_path)), source)
    assert (row["has_audio"], row["audio_uri"], row["subtitle_uri"]) == (False, None, None)
    assert sorted(row["remarks"]) == ["its separate audio file cannot be used", "its subtitle file is not there"]


def test_spans_are_fitted_to_the_video(folder: Path, tmp_path: Path):
    source = replace(file_source(str(folder / "silent.mp4")), spans=(Span(0.0, 1.0, "a"), Span(5.0, 9.0)))
    row = row_of(Registration(str(tmp_path)), source)
    assert [(span["start_s"], span["end_s"], span["caption"]) for span in row["spans"]] == [(0.0, 1.0, "a")]
    assert any("does not lie in the video" in remark for remark in row["remarks"])


def test_copy_waits_in_the_lake_with_its_sidecars_and_moves_to_its_id(folder: Path, tmp_path: Path):
    plan = Registration(str(tmp_path), copy=True)
    row = row_of(plan, file_source(str(folder / "silent.mp4")))
    waiting = Path(row["waiting"])
    assert sorted(os.listdir(waiting)) == ["audio.m4a", "subtitles.vtt", "video.mp4"]
    assert digest(row["uri"]) == digest(folder / "silent.mp4")
    assert Path(row["audio_uri"]).parent == waiting
    assert os.listdir(waiting.parent) == [waiting.name]
    again = row_of(plan, file_source(str(folder / "silent.mp4")))
    assert again["waiting"] == row["waiting"]
    assert os.listdir(waiting.parent) == [waiting.name]
    shelf.shelve(waiting, str(tmp_path), "-id")
    assert (tmp_path / "-id" / "video.mp4").is_file()


def test_broken_file_is_not_left_in_the_lake(tmp_path: Path):
    (tmp_path / "bad.mp4").write_text("no video")
    row = row_of(Registration(str(tmp_path / "media"), copy=True), file_source(str(tmp_path / "bad.mp4")))
    assert row["code"] == "not_media"
    assert list((tmp_path / "media").rglob("*.*")) == [tmp_path / "media" / shelf.INCOMING]


def test_removed_bytes_are_neither_described_nor_copied(folder: Path, tmp_path: Path):
    plan = Registration(str(tmp_path), copy=True, removed_sha256=frozenset({digest(folder / "silent.mp4")}))
    assert row_of(plan, file_source(str(folder / "silent.mp4"))) == {"number": 7, "removed": True, "remarks": []}
    assert os.listdir(tmp_path / shelf.INCOMING) == []


def test_file_that_is_gone_and_an_unexpected_error_are_rows_of_their_own(tmp_path: Path, monkeypatch):
    from udfs.sources import register

    moving_square(tmp_path / "good.mp4", seconds=0.4)
    monkeypatch.setattr(register, "digest", lambda path: 1 / 0)
    items = [item_of(0, file_source(str(tmp_path / "gone.mp4"))), item_of(1, file_source(str(tmp_path / "good.mp4")))]
    codes = [(row["code"], row["detail"]) for _, (row,) in register_items(Registration(str(tmp_path)), items)]
    assert codes[0][0] == "vanished"
    assert codes[1] == ("internal", "ZeroDivisionError: division by zero")


def test_good_file_with_a_wrong_extension_passes(folder: Path, tmp_path: Path):
    shutil.copyfile(folder / "silent.mp4", tmp_path / "silent.txt")
    assert row_of(Registration(str(tmp_path / "m")), file_source(str(tmp_path / "silent.txt")))["frames"] == 50


def test_site_that_refuses_is_not_asked_for_the_rest(tmp_path: Path, monkeypatch):
    from udfs.sources import register
    from udfs.sources.patience import Refused
    from udfs.sources.youtube import Download

    asked: list[str] = []

    def refusing(url, *rest, **more):
        asked.append(url)
        raise Refused("the site asks for patience")

    monkeypatch.setattr(register, "fetch", refusing)
    items = [item_of(number, Source(f"http://127.0.0.1/{number}", is_download=True)) for number in range(3)]
    rows = [row for _, (row,) in register_items(Registration(str(tmp_path), download=Download()), items)]
    assert [row["code"] for row in rows] == ["download_failed"] * 3
    assert "not tried" in rows[2]["detail"]
    assert asked == ["http://127.0.0.1/0"]


def test_absurd_shape_of_pixels_costs_a_remark(folder: Path, tmp_path: Path):
    subprocess.run(["ffmpeg", "-v", "error", "-i", folder / "silent.mp4", "-c", "copy", "-aspect", "100", "-y", tmp_path / "a.mp4"], check=True)
    row = row_of(Registration(str(tmp_path)), file_source(str(tmp_path / "a.mp4")))
    assert (row["width"], row["height"], row["remarks"]) == (64, 48, ["its pixels claim an absurd shape and are taken as square"])
