"""The ingest job on real Spark: every source accounted for, once, also after a crash."""

import json
import os
import shutil
from base64 import b64encode
from collections import Counter
from pathlib import Path

import pytest

from jobs.ingest import JOB, IngestConfig, idle, run
from jobs.summary import Summary
from schemas.errors import UsageError
from schemas.lake import Lake
from schemas.ledger import now
from tests.footage import moving_square
from tests.udfs.sources.site import Site

CODES_OF_BROKEN_FILES = {
    "audio_only.mp4": "no_video",
    "concat_reading_local_file.mp4": "forbidden_reference",
    "playlist_reading_local_file.mp4": "forbidden_reference",
    "text_named_video.mp4": "not_media",
    "truncated_no_moov.mp4": "truncated",
    "zero_bytes.mp4": "not_media",
}


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    """Two different tiny videos."""
    folder = tmp_path_factory.mktemp("clips")
    moving_square(folder / "one.mp4", seconds=2, tone=True)
    moving_square(folder / "two.mp4", seconds=3)
    return folder


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake."""
    lake = Lake.at(str(tmp_path / "lake"))
    lake.ledger.create()
    return lake


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """An empty folder for raw videos."""
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


def ingest(spark, lake: Lake, *sources: Path | str, **options) -> Summary:
    """Run the job as the command line does: idle first."""
    config = IngestConfig(tuple(str(source) for source in sources), quiet=True, **options)
    JOB.check(lake, config)
    return idle(lake, config) or run(spark, lake, config)


def rows(lake: Lake, table: str) -> list[dict]:
    """All rows of a table."""
    return lake.ledger.read(table).to_pylist()


def test_what_was_passed_over_is_told_each_time_in_words_that_cannot_be_forged(lake: Lake, raw: Path):
    for name in ("a.txt", "b.jpg", ".c.mp4"):
        (raw / name).write_text("x")
    assert ingest(None, lake, raw).notes[1:] == ["ingest: passed over: 2 files without a video's extension, 1 that is hidden or unfinished"]
    os.mkfifo(raw / "pipe\n\x1b[31m.mp4")
    (raw / ".c.mp4").unlink()
    assert ingest(None, lake, raw).notes[1:] == [
        "ingest: passed over: 1 entry that is no regular file: pipe\\x0a\\x1b[31m.mp4",
        "ingest: passed over: 2 files without a video's extension",
    ]
    for number in range(4):
        os.mkfifo(raw / f"{number}.mp4")
    assert ingest(None, lake, raw).notes[1] == "ingest: passed over: 5 entries that are no regular files: 0.mp4, 1.mp4, 2.mp4 and 2 more"


def counted(summary: Summary) -> dict[str, int]:
    """The counts of a run that are not zero, after checking that they add up."""
    counts = summary.counts
    assert counts["in"] == counts["found"] == sum(counts[name] for name in ("registered", "duplicate", "removed", "failed"))
    return {name: value for name, value in counts.items() if value and name not in ("in", "found")}


def test_each_source_is_accounted_for_and_a_rerun_finds_nothing(spark, lake: Lake, raw: Path, clips: Path):
    hostile = ["with space.mp4", "semi;colon 'quote\".mp4", "-rf.mp4", "ünïcödé 日本.txt"]
    for number, name in enumerate(hostile):
        moving_square(raw / f"{number}.mp4", seconds=1 + number / 5)
        (raw / f"{number}.mp4").rename(raw / name)
    shutil.copyfile(clips / "one.mp4", raw / "b.mp4")
    shutil.copyfile(clips / "one.mp4", raw / "a.mp4")
    (raw / "text.mp4").write_text("not a video")
    assert counted(ingest(spark, lake, raw)) == {"registered": 5, "duplicate": 1, "failed": 1}
    videos = {os.path.basename(row["uri"]): row for row in rows(lake, "videos")}
    assert sorted(videos) == sorted([*hostile, "a.mp4"])
    assert {row["uri"]: row["outcome"] for row in rows(lake, "sources")}[str(raw / "b.mp4")] == "duplicate"
    assert all(row["video_id"] == "h" + row["sha256"][:16] for row in videos.values())
    (failure,) = rows(lake, "failures")
    status = (raw / "text.mp4").stat()
    assert (failure["entity"], failure["stage"], failure["code"]) == (str(raw / "text.mp4"), "ingest", "not_media")
    assert (failure["fingerprint"], failure["attempt"], failure["retryable"]) == (f"{status.st_size}-{status.st_mtime_ns}", 1, False)
    versions = lake.ledger.versions(("videos", "sources", "failures"))
    assert counted(ingest(None, lake, raw)) == {}
    assert lake.ledger.versions(("videos", "sources", "failures")) == versions


def test_new_and_changed_files_are_found_by_the_next_run_only(spark, lake: Lake, raw: Path, clips: Path):
    shutil.copyfile(clips / "one.mp4", raw / "a.mp4")
    assert counted(ingest(spark, lake, raw)) == {"registered": 1}
    shutil.copyfile(clips / "two.mp4", raw / "a.mp4")
    shutil.copyfile(clips / "one.mp4", raw / "copy.mp4")
    assert counted(ingest(spark, lake, raw)) == {"registered": 1, "duplicate": 1}
    assert sorted(row["frames"] for row in rows(lake, "videos")) == [50, 75]
    assert counted(ingest(None, lake, raw)) == {}


def test_folder_without_candidates_is_nothing(lake: Lake, raw: Path):
    (raw / "notes.txt").write_text("x")
    assert counted(ingest(None, lake, raw)) == {}


def test_lake_inside_the_named_folder_is_no_footage(spark, lake: Lake, raw: Path, clips: Path):
    shutil.copyfile(clips / "one.mp4", raw / "a.mp4")
    assert counted(ingest(spark, lake, raw.parent, copy=True)) == {"registered": 1}
    assert counted(ingest(None, lake, raw.parent, copy=True)) == {}


def test_killed_run_is_completed_without_a_second_row(spark, lake: Lake, raw: Path, clips: Path):
    for name in ("one.mp4", "two.mp4"):
        shutil.copyfile(clips / name, raw / name)
    (raw / "bad.mp4").write_text("no video")
    ingest(spark, lake, raw)
    undisturbed = {table: rows(lake, table) for table in ("videos", "failures", "sources")}
    killed = Lake.at(str(raw.parent / "killed"))
    killed.ledger.create()
    killed.ledger.append("failures", undisturbed["failures"])
    killed.ledger.append("videos", undisturbed["videos"][:1])
    assert counted(ingest(spark, killed, raw)) == {"registered": 2, "failed": 1}

    def kept(table: str, found: list[dict]) -> list[tuple]:
        return sorted(str([row.get(name) for name in ("video_id", "uri", "entity", "outcome", "attempt")]) for row in found)

    for table, wanted in undisturbed.items():
        assert kept(table, rows(killed, table)) == kept(table, wanted), table


class Killed(BaseException):
    """Stands for kill -9."""


@pytest.mark.parametrize("commits", range(4))
def test_driver_killed_before_any_of_its_commits_costs_nothing_but_a_rerun(spark, lake: Lake, raw: Path, clips: Path, monkeypatch, commits: int):
    for name in ("a.mp4", "b.mp4"):
        shutil.copyfile(clips / "one.mp4", raw / name)
    shutil.copyfile(clips / "two.mp4", raw / "c.mp4")
    (raw / "bad.mp4").write_text("no video")
    append, done = lake.ledger.append, []

    def append_until_killed(table: str, given: list[dict]) -> None:
        if given and len(done) == commits:
            raise Killed
        append(table, given)
        done.extend([table] if given else [])

    with monkeypatch.context() as patch:
        patch.setattr(lake.ledger, "append", append_until_killed)
        with pytest.raises(Killed):
            ingest(spark, lake, raw, copy=True)
    ingest(spark, lake, raw, copy=True)
    assert counted(ingest(None, lake, raw, copy=True)) == {}
    assert sorted(row["frames"] for row in rows(lake, "videos")) == [50, 75]
    outcomes = {os.path.basename(row["uri"]): row["outcome"] for row in rows(lake, "sources")}
    assert outcomes == {"a.mp4": "registered", "b.mp4": "duplicate", "c.mp4": "registered", "bad.mp4": "failed"}
    assert len(rows(lake, "sources")) == 4
    assert [row["attempt"] for row in rows(lake, "failures")] == [1]
    kept = {row["video_id"]: os.listdir(lake.place.media(row["video_id"])) for row in rows(lake, "videos")}
    assert sorted(os.listdir(lake.place.at("media"))) == sorted([".incoming", *kept])
    assert os.listdir(lake.place.at("media", ".incoming")) == []
    assert all(Path(row["uri"]).is_file() for row in rows(lake, "videos"))


def test_copied_media_lies_under_its_id_and_duplicates_leave_nothing(spark, lake: Lake, raw: Path, clips: Path):
    for name in ("a.mp4", "b.mp4"):
        shutil.copyfile(clips / "two.mp4", raw / name)
    (raw / "a.vtt").write_text("WEBVTT\n")
    (raw / "bad.mp4").write_text("x")
    assert counted(ingest(spark, lake, raw, copy=True)) == {"registered": 1, "duplicate": 1, "failed": 1}
    (video,) = rows(lake, "videos")
    folder = Path(lake.place.media(video["video_id"]))
    assert (video["uri"], video["subtitle_uri"]) == (str(folder / "video.mp4"), str(folder / "subtitles.vtt"))
    assert sorted(os.listdir(folder)) == ["subtitles.vtt", "video.mp4"]
    assert sorted(os.listdir(folder.parent)) == [".incoming", video["video_id"]]
    assert os.listdir(folder.parent / ".incoming") == []
    shutil.rmtree(raw)
    assert (folder / "video.mp4").stat().st_size == video["bytes"]


def test_manifest_gives_ids_spans_labels_and_sound(spark, lake: Lake, raw: Path, clips: Path):
    for name in ("one.mp4", "two.mp4"):
        shutil.copyfile(clips / name, raw / name)
    info = {"Person ID": "597", "Language": "English", "Age Group": "60+", "Gender": "Male", "Ethnicity": "White", "Video Category": "Talk"}
    records = [
        {"video-id": "vid_1", "video-path": "two.mp4", "audio-path": "one.mp4", "start-time": 0, "end-time": 1, "description": "a", "info": info},
        {"video-id": "vid_1", "video-path": "two.mp4", "start-time": 1.5, "end-time": 2.5, "info": info},
        {"video-id": "../evil", "video-path": "one.mp4", "audio-path": "", "subtitle-path": ""},
        {"video-id": "gone", "video-path": "gone.mp4"},
        {"id": "no video at all"},
        {"info": info | {"Video Link": "https://youtu.be/Tr6MMsoWAog"}, "start-time": 0, "end-time": 3},
    ]
    (raw / "m.json").write_text(json.dumps(records))
    assert counted(ingest(spark, lake, raw / "m.json")) == {"registered": 2, "failed": 3}
    videos = {row["video_id"]: row for row in rows(lake, "videos")}
    video = videos["vid_1"]
    assert [(span["start_s"], span["end_s"], span["caption"]) for span in video["spans"]] == [(0.0, 1.0, "a"), (1.5, 2.5, None)]
    assert (video["labels"]["speaker_id"], video["labels"]["age_group"], video["labels"]["source"]) == ("597", "60+", "manifest")
    assert (video["has_audio"], video["audio_uri"]) == (True, str(raw / "one.mp4"))
    (other,) = (row for name, row in videos.items() if name != "vid_1")
    assert (other["video_id"], other["labels"], other["spans"]) == ("h" + other["sha256"][:16], None, None)
    codes = {row["entity"].rpartition("/")[2]: (row["code"], row["retryable"]) for row in rows(lake, "failures")}
    assert codes == {"gone.mp4": ("vanished", True), "m.json#record=5": ("not_media", False), "watch?v=Tr6MMsoWAog": ("download_failed", False)}
    assert counted(ingest(None, lake, raw / "m.json")) == {}
    shutil.copyfile(clips / "one.mp4", raw / "gone.mp4")
    assert counted(ingest(spark, lake, raw / "m.json")) == {"duplicate": 1}


def test_labels_that_arrive_later_update_known_videos_in_one_commit(spark, lake: Lake, raw: Path, clips: Path):
    for name in ("one.mp4", "two.mp4"):
        shutil.copyfile(clips / name, raw / name)
    ingest(spark, lake, raw)
    before = lake.ledger.versions(("videos",))["videos"]
    labels = raw.parent / "labels.csv"
    labels.write_text("uri,language,age_group,gender\nraw/one.mp4,de,31-45,Female\nraw/nobody.mp4,fr,,\n")
    summary = ingest(spark, lake, raw, labels=str(labels))
    assert counted(summary) == {}
    assert any("1 known videos" in note for note in summary.notes)
    assert any("1 rows of the labels CSV fit no video" in note for note in summary.notes)
    assert lake.ledger.versions(("videos",))["videos"] == before + 1
    said = {os.path.basename(row["uri"]): row["labels"] for row in rows(lake, "videos")}
    assert said["two.mp4"] is None
    assert {name: value for name, value in said["one.mp4"].items() if value} == {
        "language": "de",
        "age_group": "31-45",
        "gender": "Female",
        "source": "labels-csv",
    }
    assert all(row["width"] == 64 and row["sha256"] for row in rows(lake, "videos"))
    assert counted(ingest(None, lake, raw, labels=str(labels))) == {}


def test_removed_video_does_not_come_back_under_any_name(spark, lake: Lake, raw: Path, clips: Path):
    for name in ("one.mp4", "two.mp4"):
        shutil.copyfile(clips / name, raw / name)
    ingest(spark, lake, raw)
    one = next(row for row in rows(lake, "videos") if row["uri"].endswith("one.mp4"))
    lake.ledger.append("removals", [{"video_id": one["video_id"], "sha256": one["sha256"], "requested_at": now()}])
    shutil.copyfile(clips / "one.mp4", raw / "again.mp4")
    assert counted(ingest(spark, lake, raw, copy=True)) == {"removed": 1}
    assert counted(ingest(None, lake, raw)) == {}
    assert not any(Path(lake.place.at("media")).rglob("*.mp4"))


def test_download_is_registered_and_what_failed_is_tried_again(spark, lake: Lake, raw: Path, clips: Path):
    with Site(clips).open() as site:
        (raw / "list.txt").write_text(f"{site.address}/one.mp4\n{site.address}/two.mp4\n")
        options = {"download": True, "sleep_s": 0.0, "retries": 0}
        with pytest.raises(UsageError, match="--download"):
            ingest(spark, lake, raw / "list.txt")
        site.answers["/two.mp4"] = [500]
        assert counted(ingest(spark, lake, raw / "list.txt", **options)) == {"registered": 1, "failed": 1}
        assert counted(ingest(spark, lake, raw / "list.txt", **options)) == {"registered": 1}
        assert counted(ingest(None, lake, raw / "list.txt", **options)) == {}
        videos = {row["source"]["url"].rpartition("/")[2]: row for row in rows(lake, "videos")}
        assert sorted(videos) == ["one.mp4", "two.mp4"]
        for name, row in videos.items():
            assert Path(row["uri"]).parent == Path(lake.place.media(row["video_id"]))
            assert Path(row["uri"]).read_bytes() == (clips / name).read_bytes()
        (failure,) = rows(lake, "failures")
        assert (failure["code"], failure["retryable"], failure["fingerprint"]) == ("download_failed", True, "download")


def test_no_password_and_no_signature_of_an_address_is_kept(spark, lake: Lake, clips: Path):
    secret = "canary-9d2c41e7"
    with Site(clips).open() as site:
        host = site.address.removeprefix("http://")
        addresses = [
            f"http://me:{secret}@{host}/one.mp4",
            f"{site.address}/two.mp4?X-Amz-Date=1&X-Amz-Signature={secret}",
            f"{site.address}/no.mp4?token={secret}",
        ]
        options = {"download": True, "sleep_s": 0.0, "retries": 0}
        assert counted(ingest(spark, lake, *addresses, **options)) == {"registered": 2, "failed": 1}
        assert {("", "Basic " + b64encode(f"me:{secret}".encode()).decode()), (f"X-Amz-Date=1&X-Amz-Signature={secret}", None)} <= set(site.given)
        assert counted(ingest(None, lake, f"{site.address}/two.mp4?X-Amz-Date=2&X-Amz-Signature=another-{secret}", **options)) == {}
    assert {row["source"]["url"] for row in rows(lake, "videos")} == {f"http://hidden@{host}/one.mp4", f"http://{host}/two.mp4?signature=hidden"}
    assert secret not in str([rows(lake, table) for table in ("videos", "sources", "failures", "runs")])
    assert not [path for path in Path(lake.place.root).rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def test_limit_takes_the_first_and_the_next_run_goes_on(spark, lake: Lake, raw: Path, clips: Path):
    for name in ("one.mp4", "two.mp4"):
        shutil.copyfile(clips / name, raw / name)
    assert counted(ingest(spark, lake, raw, limit=1)) == {"registered": 1}
    assert [os.path.basename(row["uri"]) for row in rows(lake, "videos")] == ["one.mp4"]
    assert counted(ingest(spark, lake, raw, limit=1)) == {"registered": 1}
    assert [row["complete"] for row in sorted(rows(lake, "runs"), key=lambda row: row["finished"])] == [False, True]


def test_every_broken_file_is_a_row_with_its_code(spark, lake: Lake, corpus: Path):
    summary = ingest(spark, lake, corpus / "broken")
    assert summary.counts["in"] == len(os.listdir(corpus / "broken"))
    counted(summary)
    codes = {os.path.basename(row["entity"]): row["code"] for row in rows(lake, "failures")}
    assert {name: codes.get(name) for name in CODES_OF_BROKEN_FILES} == CODES_OF_BROKEN_FILES
    assert Counter(row["outcome"] for row in rows(lake, "sources"))["failed"] == len(codes)
