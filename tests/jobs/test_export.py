"""`talkvid export`: what is cut, what is listed, what is left alone, and what is taken out again."""

import hashlib
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from jobs import export, metadata
from jobs.arguments import verb_parser
from jobs.cli import Sessions, execute
from jobs.export import JOB, ExportConfig, run
from jobs.layouts.card import dataset_card
from schemas import unfinished
from schemas.active_policy import make_active
from schemas.errors import MissingError, UsageError
from schemas.ids import media_name
from schemas.lake import Lake
from schemas.ledger import now
from schemas.manifest import HEAD_KEYS
from schemas.policy import Policy, Rule
from udfs.footage import tiny_video
from udfs.media import frame_times, frames, probe

RELEASED = [
    *("id", "height", "width", "fps", "start-time", "start-frame", "end-time", "end-frame", "durations", "info", "description"),
    *("dover_scores", "cotracker_ratio", "head_detail"),
]
SPANS = [("a", 0.0, 0.8, 0.9), ("a", 0.8, 1.6, 0.7), ("b", 0.4, 1.2, 0.8), ("b", 1.2, 2.0, 0.2)]
"""Clips of the lake: video, start, end, speech ratio. The policy keeps the first three."""
KEPT = ["a-000000000-000000800", "a-000000800-000001600", "b-000000400-000001200"]
CROP = {"left": 20, "top": 10, "right": 101, "bottom": 90}


def policy(least: float = 0.5) -> Policy:
    """Keeps clips with that much speech."""
    return Policy("talky", (Rule("speech", "speech_ratio", ">=", least),))


@pytest.fixture(scope="module")
def media(tmp_path_factory) -> dict[str, Path]:
    """Two videos, one of them named to provoke."""
    folder = tmp_path_factory.mktemp("media")
    return {"a": tiny_video(folder / "a'; b ü.mp4", size=(160, 120)), "b": tiny_video(folder / "-b.mp4", size=(160, 120), kind="texture", fps=30)}


@pytest.fixture
def lake(tmp_path, media) -> Lake:
    """A lake with four clips, three of which its active policy keeps."""
    return lake_of(tmp_path / "lake", media)


def lake_of(root: Path, media: dict[str, Path]) -> Lake:
    lake = Lake.at(str(root))
    lake.ledger.create()
    labels = {"language": "en", "speaker_id": "597", "age_group": "31-45", "gender": "Female", "source": "manifest"}
    source = {"platform": "youtube", "licence": "CC BY | <b>3.0</b>", "channel": "<script>"}
    lake.ledger.append("videos", [video_row("a", media, labels, source | {"url": "https://youtu.be/a"}), video_row("b", media, None, None)])
    lake.ledger.append("clips", [clip_row(*span) for span in SPANS])
    head = dict.fromkeys(HEAD_KEYS, 90.0) | {"fingerprint": "head-v1-0"}
    lake.ledger.append("scores", [{"clip_id": KEPT[0], "run_id": "r", "scored_at": now(), "head": head}])
    metadata.refresh(lake)
    keep(lake, policy())
    return lake


def video_row(name: str, media: dict[str, Path], labels: dict | None, source: dict | None) -> dict:
    facts = probe(media[name])
    row = {"video_id": name, "uri": str(media[name]), "sha256": name, "width": facts.width, "height": facts.height, "fps": facts.fps}
    return row | {"duration_s": facts.duration_s, "has_audio": True, "labels": labels, "source": source}


def clip_row(video: str, start_s: float, end_s: float, speech_ratio: float) -> dict:
    fps = {"a": 25, "b": 30}[video]
    row = {"clip_id": f"{video}-{round(start_s * 1000):09d}-{round(end_s * 1000):09d}", "preset": "default", "video_id": video, "shot_index": 0}
    row |= {"start_s": start_s, "end_s": end_s, "start_frame": round(start_s * fps), "end_frame": round(end_s * fps)}
    return row | {"speech_ratio": speech_ratio, "crop": CROP if video == "b" else None, "caption": "a caption"}


def keep(lake: Lake, chosen: Policy) -> None:
    """Verdicts of a policy, which becomes the active one."""
    make_active(lake.ledger, chosen)
    rows = [
        {"clip_id": clip_row(*span)["clip_id"], "policy": chosen.name, "policy_hash": chosen.policy_hash, "kept": bool(span[3] >= chosen.rules[0].value)}
        for span in SPANS
    ]
    lake.ledger.append("verdicts", [row | {"failed_rules": [] if row["kept"] else ["speech"], "decided_at": now()} for row in rows])


def files(folder: Path) -> dict[str, str]:
    """Every file below a folder, and the hash of its bytes."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*")) if path.is_file()}


def exported(lake: Lake) -> dict[str, dict]:
    """`exports` by clip; fails when a clip is there twice."""
    rows = lake.ledger.read("exports").to_pylist()
    assert len({(row["out"], row["clip_id"]) for row in rows}) == len(rows)
    return {row["clip_id"]: row for row in rows}


def without_spark(lake: Lake, config: ExportConfig):
    """The export as the command line runs it, where a session would fail to start."""
    return execute(JOB, lake, config, Sessions("spark://nowhere:1", {}))


def config(tmp_path: Path, **options) -> ExportConfig:
    return ExportConfig(str(tmp_path / "out"), quiet=True, **options)


def test_kept_clips_are_cut_and_listed_with_the_released_fields(spark, lake, tmp_path, media):
    (tmp_path / "out" / "videos").mkdir(parents=True)
    unfinished.beside(tmp_path / "out" / "videos" / media_name(KEPT[0], "mp4")).write_bytes(b"of a killed worker")
    summary = run(spark, lake, config(tmp_path))
    assert summary.counts == {"in": 3, "wanted": 3, "written": 3, "present": 0, "failed": 0}
    out = tmp_path / "out"
    listed = json.loads((out / "filtered_video_clips.json").read_text())
    assert [record["clip_id"] for record in listed] == KEPT
    first = listed[0]
    assert list(first)[: len(RELEASED)] == RELEASED
    assert (first["start-time"], first["end-time"], first["start-frame"], first["end-frame"], first["durations"]) == (0.0, 0.8, 0, 20, "0.800s")
    assert first["info"] == {
        "Person ID": "597",
        "Ethnicity": "",
        "Age Group": "31-45",
        "Gender": "Female",
        "Video Link": "https://youtu.be/a",
        "Language": "en",
        "Video Category": "",
    }
    assert set(first["head_detail"]["scores"]) == set(HEAD_KEYS) and listed[1]["head_detail"] is None
    assert [record["id"] for record in listed[:2]] == ["videovideoa-scene1-scene1", "videovideoa-scene1-scene2"]
    assert listed[2]["info"]["Video Link"] == ""
    for record in listed:
        assert json.loads((out / record["file"]).with_suffix(".json").read_text()) == record
        assert exported(lake)[record["clip_id"]]["bytes"] == (out / record["file"]).stat().st_size
    assert sorted(path.name for path in out.iterdir()) == ["filtered_video_clips.json", "videos"]
    assert sorted(path.name for path in (out / "videos").iterdir()) == sorted(media_name(clip, kind) for clip in KEPT for kind in ("json", "mp4"))
    cut_exactly(out / listed[1]["file"], media["a"])
    cropped = probe(out / listed[2]["file"])
    assert (cropped.width, cropped.height, cropped.has_audio) == (80, 80, True)


def cut_exactly(clip: Path, source: Path) -> None:
    """The second clip of video a holds frames 20 to 39 of it."""
    times = frame_times(clip)
    assert len(times) == 20 and times[0] == 0.0
    (_, got), *_ = [(index, frame.astype(float)) for index, frame in frames(clip, times, 0, 9, [0])]
    near = {number: frame.astype(float) for number, frame in frames(source, frame_times(source), 0, 9, [18, 20, 22])}
    errors = {number: abs(frame - got).mean() for number, frame in near.items()}
    assert min(errors, key=errors.get) == 20


def test_a_second_export_changes_nothing_and_starts_no_spark(spark, lake, tmp_path):
    run(spark, lake, config(tmp_path))
    before, versions = files(tmp_path / "out"), lake.ledger.versions(("exports", "failures", "runs", "settings"))
    summary = without_spark(lake, config(tmp_path))
    assert summary.counts == {"in": 0, "wanted": 3, "written": 0, "present": 3, "failed": 0}
    assert files(tmp_path / "out") == before
    assert lake.ledger.versions(("exports", "failures", "runs", "settings")) == versions


def test_a_damaged_or_missing_file_is_cut_again_to_the_same_bytes(spark, lake, tmp_path):
    run(spark, lake, config(tmp_path))
    before = files(tmp_path / "out")
    (tmp_path / f"out/videos/v_{KEPT[0]}.mp4").unlink()
    (tmp_path / f"out/videos/v_{KEPT[1]}.mp4").write_bytes(b"half")
    assert run(spark, lake, config(tmp_path)).counts == {"in": 2, "wanted": 3, "written": 2, "present": 1, "failed": 0}
    assert files(tmp_path / "out") == before
    assert sorted(exported(lake)) == KEPT


def test_clips_that_are_no_longer_kept_are_taken_out_without_spark(spark, lake, tmp_path):
    run(spark, lake, config(tmp_path))
    keep(lake, policy(0.75))
    summary = without_spark(lake, config(tmp_path))
    assert summary.counts == {"in": 0, "wanted": 2, "written": 0, "present": 2, "failed": 0}
    assert "1 clips that are no longer kept" in summary.notes[0]
    assert sorted(exported(lake)) == [KEPT[0], KEPT[2]]
    assert [record["clip_id"] for record in json.loads((tmp_path / "out/filtered_video_clips.json").read_text())] == [KEPT[0], KEPT[2]]
    assert not list((tmp_path / "out").rglob(f"*{KEPT[1]}*"))


def test_another_frame_rate_rewrites_the_clips(spark, lake, tmp_path):
    run(spark, lake, config(tmp_path))
    summary = run(spark, lake, config(tmp_path, fps=10.0))
    assert summary.counts == {"in": 3, "wanted": 3, "written": 3, "present": 0, "failed": 0}
    assert [len(frame_times(tmp_path / f"out/videos/v_{clip_id}.mp4")) for clip_id in KEPT] == [8, 8, 8]
    assert len(exported(lake)) == 3


def test_another_layout_replaces_the_old_one(spark, lake, tmp_path):
    run(spark, lake, config(tmp_path))
    run(spark, lake, config(tmp_path, layout="hf"))
    out = tmp_path / "out"
    assert sorted(files(out)) == sorted(["README.md", "data/train/metadata.jsonl", *(f"data/train/v_{clip_id}.mp4" for clip_id in KEPT)])


def test_a_changed_label_reaches_the_records_without_cutting(spark, lake, tmp_path):
    run(spark, lake, config(tmp_path))
    before = files(tmp_path / "out")
    lake.ledger.append("scores", [{"clip_id": KEPT[1], "run_id": "s", "scored_at": now(), "dover": {"dover_scores": 8.9, "fingerprint": "d"}}])
    without_spark(lake, config(tmp_path))
    after = files(tmp_path / "out")
    assert json.loads((tmp_path / f"out/videos/v_{KEPT[1]}.json").read_text())["dover_scores"] == 8.9
    assert {name for name in after if after[name] != before[name]} == {"filtered_video_clips.json", f"videos/v_{KEPT[1]}.json"}


def test_a_vanished_source_is_a_failure_that_heals_when_it_is_back(spark, tmp_path, media):
    copies = {name: tmp_path / f"{name}.mp4" for name in media}
    for name, path in media.items():
        copies[name].write_bytes(path.read_bytes())
    lake = lake_of(tmp_path / "lake", copies)
    copies["b"].rename(tmp_path / "away.mp4")
    assert run(spark, lake, config(tmp_path)).counts == {"in": 3, "wanted": 3, "written": 2, "present": 0, "failed": 1}
    (failure,) = lake.ledger.read("failures").to_pylist()
    assert (failure["entity"], failure["stage"], failure["code"], failure["attempt"], failure["retryable"]) == (KEPT[2], "export", "vanished", 1, True)
    assert without_spark(lake, config(tmp_path)).counts == {"in": 0, "wanted": 3, "written": 0, "present": 2, "failed": 1}
    assert lake.ledger.read("failures").num_rows == 1
    (tmp_path / "away.mp4").rename(copies["b"])
    assert run(spark, lake, config(tmp_path)).counts["written"] == 1


def test_what_a_killed_export_had_noted_is_not_cut_again(spark, lake, tmp_path, monkeypatch):
    def killed(self, records, files):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(export.LAYOUTS["webdataset"], "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            run(spark, lake, config(tmp_path, layout="webdataset"))
    assert sorted(exported(lake)) == KEPT
    summary = without_spark(lake, config(tmp_path, layout="webdataset"))
    assert summary.counts == {"in": 0, "wanted": 3, "written": 0, "present": 3, "failed": 0}
    assert sorted(files(tmp_path / "out")) == ["000000.tar"]
    assert {row["file"] for row in exported(lake).values()} == {"000000.tar"}


def names(shard: Path) -> list[str]:
    with tarfile.open(shard) as tar:
        return tar.getnames()


def test_shards_hold_a_video_and_a_record_per_clip_and_lose_what_is_not_kept(spark, lake, tmp_path):
    sharded = config(tmp_path, layout="webdataset", shard_size=2)
    run(spark, lake, sharded)
    out = tmp_path / "out"
    assert sorted(files(out)) == ["000000.tar", "000001.tar"]
    assert names(out / "000000.tar") == [f"v_{clip_id}.{kind}" for clip_id in KEPT[:2] for kind in ("json", "mp4")]
    with tarfile.open(out / "000001.tar") as tar:
        record = json.load(tar.extractfile(f"v_{KEPT[2]}.json"))
        assert tar.getmember(f"v_{KEPT[2]}.mp4").size == exported(lake)[KEPT[2]]["bytes"]
    assert (record["clip_id"], record["file"]) == (KEPT[2], "000001.tar")
    before = files(out)
    assert without_spark(lake, sharded).counts["present"] == 3
    keep(lake, policy(0.75))
    assert without_spark(lake, sharded).counts == {"in": 0, "wanted": 2, "written": 0, "present": 2, "failed": 0}
    assert names(out / "000000.tar") == [f"v_{KEPT[0]}.json", f"v_{KEPT[0]}.mp4"]
    assert files(out)["000001.tar"] == before["000001.tar"]
    keep(lake, policy(0.5))
    run(spark, lake, sharded)
    assert sorted(name for shard in out.glob("*.tar") for name in names(shard)) == sorted(f"v_{clip}.{kind}" for clip in KEPT for kind in ("json", "mp4"))


def test_the_same_export_gives_the_same_shards(spark, lake, tmp_path):
    for name in ("one", "two"):
        run(spark, lake, replace(config(tmp_path, layout="webdataset"), out=str(tmp_path / name)))
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_hugging_face_folder_has_metadata_and_a_card_that_hostile_text_cannot_break(spark, lake, tmp_path):
    run(spark, lake, config(tmp_path, layout="hf"))
    lines = (tmp_path / "out/data/train/metadata.jsonl").read_text().splitlines()
    assert [json.loads(line)["file_name"] for line in lines] == [f"v_{clip_id}.mp4" for clip_id in KEPT]
    card = (tmp_path / "out/README.md").read_text()
    assert card.startswith("---\nlicense: other")
    assert "| CC BY _ _b_3.0_/b_ | youtube | 2 |" in card
    assert "<" not in dataset_card([("<img src=x>|\n# x", "`y`", 3.0)], media=True)


@pytest.mark.parametrize("layout", ["talkvid", "webdataset", "hf"])
def test_without_media_only_records_are_written_and_spark_is_not_needed(lake, tmp_path, media, layout):
    chosen = config(tmp_path, layout=layout, media=False)
    assert without_spark(lake, chosen).counts == {"in": 3, "wanted": 3, "written": 3, "present": 0, "failed": 0}
    assert not list((tmp_path / "out").rglob("*.mp4"))
    if layout == "talkvid":
        listed = json.loads((tmp_path / "out/filtered_video_clips.json").read_text())
        assert [record["info"]["Video Link"] for record in listed] == ["https://youtu.be/a", "https://youtu.be/a", str(media["b"])]
        assert all(record["file"] is None for record in listed)
    assert without_spark(lake, chosen).counts == {"in": 0, "wanted": 3, "written": 0, "present": 3, "failed": 0}


def test_a_policy_that_was_never_saved_is_judged_now(lake, tmp_path):
    (tmp_path / "strict.yaml").write_text("name: strict\nrules: [{name: speech, column: speech_ratio, op: '>=', value: 0.85}]")
    chosen = config(tmp_path, media=False, policy=str(tmp_path / "strict.yaml"))
    assert without_spark(lake, chosen).counts["wanted"] == 1


def test_scores_from_random_weights_are_named_first(lake, tmp_path):
    assert without_spark(lake, config(tmp_path, media=False)).results == ""
    lake.ledger.append("scores", [{"clip_id": KEPT[1], "run_id": "s", "scored_at": now(), "dover": {"dover_scores": 8.9, "fingerprint": "random:d"}}])
    for _ in range(2):
        assert without_spark(lake, config(tmp_path, media=False)).results == "RANDOM WEIGHTS: dover scores of 1 of 3 clips mean nothing"


def test_a_limit_leaves_the_rest_for_the_next_export(lake, tmp_path):
    assert without_spark(lake, config(tmp_path, media=False, limit=1)).counts["written"] == 1
    assert without_spark(lake, config(tmp_path, media=False)).counts == {"in": 2, "wanted": 3, "written": 2, "present": 1, "failed": 0}


def test_without_an_active_policy_one_sentence_says_what_to_do(tmp_path):
    empty = Lake.at(str(tmp_path / "empty"))
    empty.ledger.create()
    with pytest.raises(MissingError, match="talkvid filter --policy lite --save"):
        without_spark(empty, config(tmp_path))


def test_a_link_that_leads_out_of_the_folder_is_refused(lake, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out/videos").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="outside"):
        run(None, lake, config(tmp_path))
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("words", [["gs://bucket/out"], ["out", "--fps", "fast"], ["out", "--fps", "0"], ["out", "--shard-size", "0"], [__file__]])
def test_words_that_mean_nothing_are_refused(words):
    with pytest.raises(UsageError):
        JOB.configure(verb_parser(JOB).parse_args(words))
