"""`talkvid segment` on a real lake: complete, resumable, replaced when made anew."""

from dataclasses import replace
from pathlib import Path

import pytest

from jobs import metadata, segment
from jobs.cli import Sessions, execute
from jobs.segment import JOB, SegmentConfig, chosen_preset, configure, run
from schemas.errors import MissingError, UsageError
from schemas.lake import Lake
from schemas.ledger import now
from tests.scenes import scenes
from udfs import media, weights
from udfs.footage import tiny_video
from udfs.segmentation import segment_fingerprint

CONFIG = SegmentConfig(detector="content", device="cpu", quiet=True)
NO_SPARK = Sessions("spark://nowhere:1", {})


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> dict[str, Path]:
    """Three shots with speech, one shot without sound, and one that is too short."""
    folder = tmp_path_factory.mktemp("videos")
    return {
        "three": tiny_video(folder / "three shots'.mp4", seconds=12.0, shots=3),
        "one": scenes(folder / "-one.mp4", [4]),
        "short": scenes(folder / "short.mp4", [1]),
    }


def register(lake: Lake, **files: Path) -> None:
    """Rows in `videos` as ingest writes them."""
    rows = []
    for video_id, path in files.items():
        row = {"video_id": video_id, "uri": str(path), "sha256": video_id, "ingested_at": now(), "width": 9, "height": 9, "duration_s": 1.0, "has_audio": False}
        if path.exists() and path.stat().st_size > 100:
            found = media.probe(path)
            row |= {"width": found.width, "height": found.height, "duration_s": found.duration_s, "has_audio": found.has_audio}
        rows.append(row)
    lake.ledger.append("videos", rows)


def lake_at(root: Path, **files: Path) -> Lake:
    lake = Lake.at(str(root))
    lake.ledger.create()
    register(lake, **files)
    return lake


def clips_of(lake: Lake) -> list[tuple]:
    """Clips without what differs from run to run."""
    rows = lake.ledger.read("clips").to_pylist()
    return sorted((row["clip_id"], row["preset"], row["fingerprint"], row["start_frame"], row["end_frame"]) for row in rows)


def versions(lake: Lake) -> dict[str, int]:
    return lake.ledger.versions(("clips", "segmentations", "failures", "clip_metadata", "runs"))


def test_every_video_is_accounted_for_and_a_second_run_starts_nothing(spark, videos, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_text("no video")
    lake = lake_at(tmp_path / "lake", **videos, broken=broken)
    summary = run(spark, lake, CONFIG)
    assert summary.counts == {"in": 4, "videos": 4, "with_clips": 2, "without_clips": 1, "failed": 1}
    assert summary.notes == ["segment: 1 without clips: no shot lasts 3 s"]
    clips = {row["clip_id"]: row for row in lake.ledger.read("clip_metadata").to_pylist()}
    assert [clip for clip in clips if clip.startswith("three")] == [f"three-{start:09d}-{start + 4000:09d}" for start in (0, 4000, 8000)]
    assert all(clips[clip]["speech_ratio"] > 0.3 for clip in clips if clip.startswith("three"))
    assert clips["one-000000000-000004000"]["speech_ratio"] == 0.0
    done = {row["video_id"]: row for row in lake.ledger.read("segmentations").to_pylist()}
    assert {name: (row["outcome"], row["reason"], row["shots"], row["clips"]) for name, row in done.items()} == {
        "three": ("with_clips", None, 3, 3),
        "one": ("with_clips", None, 1, 1),
        "short": ("without_clips", "no shot lasts 3 s", 1, 0),
    }
    assert [found["start_s"] for found in done["three"]["transitions"]] == [4.0, 8.0]
    (failure,) = lake.ledger.read("failures").to_pylist()
    assert (failure["entity"], failure["stage"], failure["code"], failure["attempt"], failure["retryable"]) == ("broken", "segment", "not_media", 1, False)
    assert failure["fingerprint"] == summary.fingerprint
    before = versions(lake)
    again = execute(JOB, lake, CONFIG, NO_SPARK)
    assert again.counts == {"in": 0, "videos": 0, "with_clips": 0, "without_clips": 0, "failed": 0}
    assert versions(lake) == before


def test_new_video_is_the_only_one_segmented(spark, videos, tmp_path):
    lake = lake_at(tmp_path / "lake", one=videos["one"])
    run(spark, lake, CONFIG)
    register(lake, three=videos["three"])
    assert run(spark, lake, CONFIG).counts["in"] == 1
    assert len(clips_of(lake)) == 4


def test_changed_rules_replace_the_clips_of_the_preset(spark, videos, tmp_path):
    lake = lake_at(tmp_path / "lake", **videos)
    run(spark, lake, CONFIG)
    summary = run(spark, lake, replace(CONFIG, min_s=0.0, max_s=2.5))
    assert summary.counts["with_clips"] == 3
    rows = lake.ledger.read("clip_metadata").to_pylist()
    assert sorted(row["clip_id"] for row in rows) == [clip[0] for clip in clips_of(lake)]
    assert {clip[2] for clip in clips_of(lake)} == {summary.fingerprint}
    assert max(row["duration_s"] for row in rows) <= 2.5
    assert sum(row["duration_s"] for row in rows) == pytest.approx(12.0 + 4.0 + 1.0)


def test_video_that_has_no_clips_any_more_loses_the_old_ones(spark, videos, tmp_path):
    lake = lake_at(tmp_path / "lake", one=videos["one"], three=videos["three"])
    run(spark, lake, CONFIG)
    run(spark, lake, replace(CONFIG, min_s=10.0))
    assert clips_of(lake) == [] and lake.ledger.read("clip_metadata").num_rows == 0


def test_presets_stand_side_by_side_and_the_last_one_is_shown(spark, videos, tmp_path):
    lake = lake_at(tmp_path / "lake", **videos)
    run(spark, lake, CONFIG)
    talkvid = SegmentConfig(preset="talkvid", device="cpu", quiet=True)
    summary = run(spark, lake, talkvid)
    assert summary.counts == {"in": 3, "videos": 3, "with_clips": 0, "without_clips": 3, "failed": 0}
    assert len(clips_of(lake)) == 4
    assert lake.ledger.read("clip_metadata").num_rows == 0 and metadata.active_preset(lake.ledger) == "talkvid"
    assert execute(JOB, lake, CONFIG, NO_SPARK).counts["in"] == 0
    assert lake.ledger.read("clip_metadata").num_rows == 4 and metadata.active_preset(lake.ledger) == "default"


def test_run_killed_before_its_last_commit_ends_with_the_same_rows(spark, videos, tmp_path, monkeypatch):
    undisturbed, killed = lake_at(tmp_path / "a", **videos), lake_at(tmp_path / "b", **videos)
    run(spark, undisturbed, CONFIG)
    append = killed.ledger.append

    def append_until_killed(table, rows):
        if table == "segmentations":
            raise KeyboardInterrupt
        append(table, rows)

    monkeypatch.setattr(killed.ledger, "append", append_until_killed)
    with pytest.raises(KeyboardInterrupt):
        run(spark, killed, CONFIG)
    monkeypatch.undo()
    assert run(spark, killed, CONFIG).counts["in"] == 3
    assert clips_of(killed) == clips_of(undisturbed)


def test_vanished_video_is_tried_again_when_it_is_back(spark, videos, tmp_path):
    place = tmp_path / "later.mp4"
    lake = lake_at(tmp_path / "lake", later=place)
    assert run(spark, lake, CONFIG).counts["failed"] == 1
    assert execute(JOB, lake, CONFIG, NO_SPARK).counts["in"] == 0
    place.write_bytes(videos["one"].read_bytes())
    assert run(spark, lake, CONFIG).counts == {"in": 1, "videos": 1, "with_clips": 1, "without_clips": 0, "failed": 0}


def test_limit_leaves_the_rest_for_the_next_run(spark, videos, tmp_path):
    lake = lake_at(tmp_path / "lake", **videos)
    assert run(spark, lake, replace(CONFIG, limit=1)).counts["in"] == 1
    assert execute(JOB, lake, replace(CONFIG, limit=0), NO_SPARK).counts["in"] == 0
    assert run(spark, lake, CONFIG).counts["in"] == 2


def test_manifest_is_chosen_when_every_video_came_with_spans_and_nothing_else_was_asked(spark, videos, tmp_path):
    lake = Lake.at(str(tmp_path / "lake"))
    lake.ledger.create()
    assert chosen_preset(lake, SegmentConfig()).name == "default"
    box = {"left": 10, "top": 20, "right": 110, "bottom": 120}
    spans = [{"start_s": 0.5, "end_s": 2.5, "crop": box, "caption": "a man"}]
    common = {"uri": str(videos["one"]), "width": 160, "height": 120, "duration_s": 4.0, "has_audio": False}
    lake.ledger.append("videos", [{"video_id": "a", "sha256": "a", "spans": spans, **common}])
    assert chosen_preset(lake, SegmentConfig()).name == "manifest"
    assert chosen_preset(lake, CONFIG).name == "default"
    assert chosen_preset(lake, SegmentConfig(preset="talkvid")).name == "talkvid"
    assert run(spark, lake, SegmentConfig(quiet=True)).counts["with_clips"] == 1
    (clip,) = lake.ledger.read("clip_metadata").to_pylist()
    assert (clip["preset"], clip["start_s"], clip["end_s"], clip["crop"], clip["caption"]) == ("manifest", 0.5, 2.5, box, "a man")
    lake.ledger.append("videos", [{"video_id": "b", "sha256": "b", **common}])
    assert chosen_preset(lake, SegmentConfig()).name == "default"


def test_repeatable_failures_are_given_up_after_three_attempts(videos, tmp_path):
    lake = lake_at(tmp_path / "lake", one=videos["one"])
    preset = chosen_preset(lake, CONFIG)
    fingerprint = segment_fingerprint(preset)
    pending = []
    for attempt in range(1, 5):
        pending.append([video["attempts"] for video in segment.pending_videos(lake, preset.name, fingerprint)])
        failure = {"entity": "one", "stage": "segment", "fingerprint": fingerprint, "code": "timeout", "retryable": True, "attempt": attempt}
        lake.ledger.append("failures", [failure])
    assert pending == [[0], [1], [2], []]


def test_missing_weights_are_told_before_spark_starts(videos, tmp_path, monkeypatch):
    lake = lake_at(tmp_path / "lake", one=videos["one"])

    def missing(name):
        raise MissingError(f"no weights {name}")

    monkeypatch.setattr(weights, "path", missing)
    with pytest.raises(MissingError, match="transnetv2"):
        execute(JOB, lake, SegmentConfig(), NO_SPARK)


def test_flags_of_the_command_line():
    from jobs.arguments import verb_parser

    words = ["--preset", "talkvid", "--detector", "content", "--threshold", "20", "--min_s", "0", "--max-s", "0", "--no-speech", "--limit", "3"]
    assert configure(verb_parser(JOB).parse_args(words)) == SegmentConfig("talkvid", "content", 20.0, 0.0, 0.0, False, "auto", 3)
    assert configure(verb_parser(JOB).parse_args([])) == SegmentConfig()
    with pytest.raises(UsageError):
        configure(verb_parser(JOB).parse_args(["--preset", "manifest", "--min-s", "3"]))
