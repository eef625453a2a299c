"""`talkvid bench`: the choice in the table, the files of the published layout, and who must not be trained on."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from jobs import metadata
from jobs.arguments import verb_parser
from jobs.bench import JOB, BenchConfig, run
from jobs.cli import Sessions, execute
from jobs.layouts.bench import Bench
from jobs.removal.exported import named, take_out
from jobs.removal.target import Target
from jobs.speakers import Exclusion, bench_exclusion, clip_speakers
from schemas.active_policy import make_active
from schemas.errors import MissingError, UsageError
from schemas.lake import Lake
from schemas.ledger import now
from schemas.manifest import HEAD_KEYS
from schemas.policy import Policy, Rule
from tests.footage import moving_square
from udfs.bench_cutting import face_square
from udfs.faces.centerface_dlib import CenterFaceDlib
from udfs.media import frame_times, frames, probe
from udfs.scorer import Device

POLICY = Policy("talky", (Rule("speech", "speech_ratio", ">=", 0.5),))
PEOPLE = {
    "a": ("Ann", "female", "en", 0),
    "b": ("Bob", "male", "Chinese", 1),
    "c": (None, "Male", "pl", 2),
    "d": (None, "female", "Klingon", 3),
    "e": (None, None, None, 3),
    "f": ("Fay", "female", "en", 5),
    "g": (None, "male", "en", None),
}
"""Video to its label of the speaker, gender, language, and the number of the face; d and e show one person, of g no face was measured."""
CONFIG = BenchConfig(axes=(("gender", 2), ("language", 15)), clip_s=1.0, quiet=True)


def clip(video: str, start_s: int) -> str:
    return f"{video}-{start_s * 1000:09d}-{start_s * 1000 + 1500:09d}"


def face(number: int) -> list[float]:
    vector = np.eye(8)[number] + 0.02
    return (vector / np.linalg.norm(vector)).tolist()


@pytest.fixture(scope="module")
def media(tmp_path_factory) -> Path:
    return moving_square(tmp_path_factory.mktemp("bench") / "it's ü.mp4", seconds=4, size="160x120", tone=True)


@pytest.fixture
def lake(tmp_path, media) -> Lake:
    """Seven videos of two clips of 1.5 s each; the last clip of `f` is not kept."""
    lake = Lake.at(str(tmp_path / "lake"))
    lake.ledger.create()
    for name in PEOPLE:
        add_video(lake, name, media)
    metadata.refresh(lake)
    keep(lake)
    return lake


def add_video(lake: Lake, name: str, media: Path) -> None:
    speaker, gender, language, number = PEOPLE.get(name, (None, "male", "de", 0))
    row = {"video_id": name, "uri": str(media), "sha256": name, "width": 160, "height": 120, "fps": 25.0, "duration_s": 4.0, "has_audio": True}
    labels = {"speaker_id": speaker, "gender": gender, "language": language, "age_group": "31-45", "source": "labels-csv"}
    lake.ledger.append("videos", [row | {"labels": labels}])
    spans = [{"start_s": float(start), "end_s": start + 1.5, "start_frame": start * 25, "end_frame": start * 25 + 37} for start in (0, 2)]
    made = [
        {"clip_id": clip(name, round(span["start_s"])), "preset": "default", "video_id": name, "shot_index": 0, "speech_ratio": 0.9} | span for span in spans
    ]
    made[1]["speech_ratio"] = 0.1 if name == "f" else 0.9
    lake.ledger.append("clips", made)
    if number is not None:
        box = {"time_s": 0.5, "box": [50.0, 30.0, 80.0, 70.0], "score": 0.9, "keypoints": [0.0] * 10}
        head = dict.fromkeys(HEAD_KEYS, 90.0) | {"fingerprint": "h", "backend": "centerface-dlib", "embedding": face(number), "faces": [box]}
        lake.ledger.append("scores", [{"clip_id": one["clip_id"], "run_id": "r", "scored_at": now(), "head": head} for one in made])


def keep(lake: Lake) -> None:
    make_active(lake.ledger, POLICY)
    for one in lake.ledger.read("clip_metadata", ("clip_id", "speech_ratio")).to_pylist():
        kept = bool(one["speech_ratio"] >= 0.5)
        row = {"clip_id": one["clip_id"], "policy": POLICY.name, "policy_hash": POLICY.policy_hash, "kept": kept}
        lake.ledger.append("verdicts", [row | {"failed_rules": [] if kept else ["speech"], "decided_at": now()}])


def without_spark(lake: Lake, config: BenchConfig):
    return execute(JOB, lake, config, Sessions("spark://nowhere:1", {}))


def test_the_table_holds_the_choice_and_says_which_groups_lack(lake):
    summary = without_spark(lake, CONFIG)
    assert summary.counts == {"in": 6, "wanted": 6, "written": 6, "present": 0, "failed": 0}
    rows = lake.ledger.read("bench").to_pylist()
    chosen = {(row["axis"], row["group"]): row for row in rows}
    assert set(chosen) == {("gender", "female"), ("gender", "male")} | {("language", name) for name in ("English", "Chinese", "Polish", "Other")}
    assert all(row["end_s"] - row["start_s"] == pytest.approx(1.0) and row["rank"] == 1 and row["seed"] == 42 for row in rows)
    assert (chosen["language", "Chinese"]["speaker_id"], chosen["language", "Chinese"]["speaker_source"]) == ("Bob", "manifest")
    assert chosen["language", "Other"]["speaker_source"] == "embedding" and chosen["language", "Other"]["speaker_id"].startswith("face:")
    assert any("language Arabic (0 of 1), German (0 of 1)" in note for note in summary.notes) and "cannot be filled" in summary.results
    assert any("of 2 nobody can tell" in note for note in summary.notes)
    before = lake.ledger.versions(("bench", "runs", "failures"))
    again = without_spark(lake, CONFIG)
    assert again.counts == {"in": 0, "wanted": 6, "written": 0, "present": 6, "failed": 0}
    assert lake.ledger.versions(("bench", "runs", "failures")) == before
    rows[0]["speaker_id"] = "somebody"
    lake.ledger.overwrite("bench", pa.Table.from_pylist(rows, lake.ledger.read("bench").schema).to_reader())
    assert without_spark(lake, CONFIG).counts["present"] == 6
    assert "somebody" not in lake.ledger.read("bench")["speaker_id"].to_pylist(), "who a clip shows may be told otherwise later"
    other = without_spark(lake, replace(CONFIG, seed=7, axes=(("gender", 2),)))
    assert other.counts["in"] == 2 and len(lake.ledger.read("bench")) == 2


def test_no_speaker_of_the_benchmark_is_trained_on(lake, media):
    assert bench_exclusion(lake) == Exclusion()
    without_spark(lake, replace(CONFIG, axes=(("language", 15),)))
    out, who = bench_exclusion(lake).clips, clip_speakers(lake)
    rows = {row["group"]: row for row in lake.ledger.read("bench").to_pylist()}
    assert who[clip("d", 0)] == who[clip("e", 0)], "two videos of one face are one person"
    english = rows["English"]["speaker_id"]
    assert english in ("Ann", "Fay")
    shown = {"Ann": "a", "Fay": "f"}[english]
    assert out == {clip(video, start) for video in ("b", "c", "d", "e", shown) for start in (0, 2)}
    trained = {one for one in who if one not in out}
    assert not {who[one].speaker_id for one in trained} & {row["speaker_id"] for row in rows.values()}
    add_video(lake, "later", media)
    lake.ledger.append(
        "scores", [{"clip_id": clip("later", 0), "run_id": "s", "scored_at": now(), "head": {"backend": "centerface-dlib", "embedding": face(2)}}]
    )
    assert clip("later", 0) in bench_exclusion(lake).clips, "a video of c's face that came later is kept out too"


def test_a_video_of_the_benchmark_is_kept_out_after_another_segmentation(lake, media):
    without_spark(lake, replace(CONFIG, axes=(("language", 15),)))
    anew = "c-000000100-000001600"
    clips = lake.ledger.read("clips")
    others = [one for one in clips.to_pylist() if one["video_id"] != "c"]
    lake.ledger.overwrite("clips", pa.Table.from_pylist([*others, others[0] | {"clip_id": anew, "video_id": "c"}], clips.schema).to_reader())
    assert anew in bench_exclusion(lake).clips, "its clip of the benchmark is gone, its video is known by the name"
    for name, number in (("later", 2), ("another", 6)):
        add_video(lake, name, media)
        head = {"backend": "centerface-dlib", "embedding": face(number)}
        lake.ledger.append("scores", [{"clip_id": clip(name, 0), "run_id": "s", "scored_at": now(), "head": head}])
    out = bench_exclusion(lake).clips
    assert clip("later", 0) in out and clip("another", 0) not in out, "the face of a clip that is gone is looked for all the same"


def test_clips_of_which_nobody_can_tell_whom_they_show_are_counted(lake):
    summary = without_spark(lake, CONFIG)
    assert bench_exclusion(lake).untold == {clip("g", 0), clip("g", 2)}
    assert summary.extra["untold_clips"] == 2 and any("2 curated clips stay in training though nobody can tell" in note for note in summary.notes)


def test_files_lie_in_the_published_layout(spark, lake, tmp_path):
    config = replace(CONFIG, out=str(tmp_path / "out"))
    assert run(spark, lake, config).counts == {"in": 6, "wanted": 6, "written": 6, "present": 0, "failed": 0}
    out = tmp_path / "out" / "language"
    listed = json.loads((out / "test_language.json").read_text())
    assert [record["group"] for record in listed] == ["Chinese", "English", "Other", "Polish"]
    first = listed[0]
    assert first["info"]["Person ID"] == "" and first["head_detail"]["passed"] is True and first["durations"] == "1.000s"
    assert first["end-frame"] - first["start-frame"] == 25 and first["end-time"] - first["start-time"] == pytest.approx(1.0)
    with_sound, silent = probe(out / first["video-with-audio-path"]), probe(out / first["video-path"])
    assert with_sound.has_audio and not silent.has_audio and silent.frames == with_sound.frames == 25
    crop = probe(out / first["video-crop-path"])
    assert (crop.width, crop.height, crop.has_audio, crop.frames) == (512, 512, False, 25)
    assert (out / first["audio-path"]).stat().st_size > 1000
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    again = without_spark(lake, config)
    assert again.counts == {"in": 0, "wanted": 6, "written": 0, "present": 6, "failed": 0}
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == stamps
    (out / first["video-with-audio-path"]).unlink()
    assert run(spark, lake, config).counts == {"in": 1, "wanted": 6, "written": 1, "present": 5, "failed": 0}
    smaller = replace(config, axes=(("gender", 2),))
    without_spark(lake, smaller)
    assert len(list((tmp_path / "out" / "gender").rglob("*.mp4"))) == 6


def test_a_clip_that_cannot_be_cut_is_a_row_and_another_takes_its_place(spark, lake, tmp_path):
    config = replace(CONFIG, out=str(tmp_path / "out"), axes=(("gender", 2),))
    broken = without_spark(lake, replace(CONFIG, axes=(("gender", 2),)))
    assert broken.counts["in"] == 2
    row = next(row for row in lake.ledger.read("bench").to_pylist() if row["group"] == "male")
    video = row["clip_id"].partition("-")[0]
    (tmp_path / "text.mp4").write_text("no video")
    table = lake.ledger.read("videos").to_pylist()
    changed = [one | ({"uri": str(tmp_path / "text.mp4")} if one["video_id"] == video else {}) for one in table]
    lake.ledger.overwrite("videos", pa.Table.from_pylist(changed, lake.ledger.read("videos").schema).to_reader())
    summary = run(spark, lake, config)
    assert summary.counts["failed"] >= 1 and summary.counts["written"] == 2
    assert {(one["stage"], one["code"]) for one in lake.ledger.read("failures").to_pylist()} == {("bench", "not_media")}
    assert all(not one["clip_id"].startswith(f"{video}-") for one in lake.ledger.read("bench").to_pylist())
    assert without_spark(lake, config).counts["in"] == 0


PERSONS = {
    ("singles/hevc_10bit_6s.mp4", 3.0): "brown hair",
    ("singles/speech_512p25_15s_l7.mp4", 7.0): "brown hair",
    ("singles/speech_512p25_15s_l4.mp4", 7.0): "long hair",
    ("panel_a.mp4", 12.0): "grey wall",
    ("panel_c.mp4", 27.0): "kitchen",
    ("singles/portrait_720x1280_no_audio.mp4", 5.0): "office",
}
"""Real footage and time to who is seen then: those whom dlib finds most alike, and one person twice."""


def test_two_real_videos_of_one_person_merge_and_look_alikes_do_not(corpus):
    from udfs.speakers import Sighting, speakers

    backend = CenterFaceDlib(640, 0.5)
    backend.setup(Device())
    seen = []
    for name, at in PERSONS:
        times = frame_times(corpus / name)
        first = int(np.searchsorted(times, at))
        chips = [backend.chip(frame, backend.detect(frame)[0]) for _, frame in frames(corpus / name, times, 0, 99, [first, first + 12])]
        vectors = backend.embed(chips)
        mean = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).mean(0)
        seen.append(Sighting(name, name, None, backend.name, mean / np.linalg.norm(mean)))
    found = {
        person: {speaker.speaker_id for one, speaker in speakers(seen).items() for key, who in PERSONS.items() if key[0] == one and who == person}
        for person in PERSONS.values()
    }
    assert all(len(names) == 1 for names in found.values()) and len(set.union(*found.values())) == 5


def test_a_removal_takes_the_records_and_files_of_a_clip(tmp_path):
    place = Bench(tmp_path / "age")
    place.publish([{"clip_id": clip("a", 0)}, {"clip_id": clip("b", 0)}], {clip("a", 0): None, clip("b", 0): None})
    media = tmp_path / "age" / place.cut_file(clip("a", 0))
    media.parent.mkdir()
    media.write_bytes(b"x")
    target = Target(clip_ids=frozenset({clip("a", 0)}))
    take_out(named(str(tmp_path / "age"), target), target)
    assert [record["clip_id"] for record in json.loads((tmp_path / "age" / "test_age.json").read_text())] == [clip("b", 0)]
    assert not media.exists()


def test_the_face_square_stays_in_the_picture():
    assert face_square([[50, 30, 80, 70]], 160, 120) == (32, 18, 96, 82)
    left, top, right, bottom = face_square([[100, 30, 155, 110], [90, 30, 150, 110]], 160, 120)
    assert right - left == bottom - top == 120 and left >= 0 and right <= 160
    assert face_square([], 160, 120) is None


def test_what_is_missing_or_wrong_is_one_sentence(tmp_path):
    lake = Lake.at(str(tmp_path / "lake"))
    lake.ledger.create()
    with pytest.raises(MissingError, match="policy"):
        without_spark(lake, CONFIG)
    for words in (["--clip-s", "0"], ["--size", "0"], ["gs://bucket/x"], ["--axes", "shoe=4"]):
        with pytest.raises(UsageError):
            JOB.configure(verb_parser(JOB).parse_args(words))
    assert dict(JOB.configure(verb_parser(JOB).parse_args(["--size", "50"])).axes) == {"age": 11, "gender": 10, "ethnicity": 10, "language": 19}
