"""A file that is not the registered one any more is used by no verb: from `ingest` to each worker, as a lake holds it."""

import os
import shutil
from pathlib import Path

import pytest

from jobs import metadata
from jobs.bench_plan import make_pool, media_facts
from jobs.export_plan import Settings
from jobs.export_plan import make_plan as export_plan
from jobs.intake import Intake
from jobs.layouts import layout
from jobs.pending import pending_clips
from jobs.pending_videos import pending_videos
from jobs.prepare_plan import Wanted
from jobs.prepare_plan import make_plan as prepare_plan
from jobs.report_page.facts import judge
from jobs.report_page.stills import sheets
from schemas.active_policy import make_active
from schemas.duck import connect
from schemas.lake import Lake
from schemas.ledger import now
from schemas.policy import Policy, Rule
from tests.footage import moving_square
from udfs.bench_cutting import cut_forms
from udfs.exporting import CutPlan, cut_clips
from udfs.preparing import PreparePlan, PrepareSettings, prepare_items
from udfs.presets import make_preset
from udfs.score_worker import ScoringPlan, score_items
from udfs.segmentation import SegmentPlan, segment_fingerprint, segment_items
from udfs.sources.known import Known
from udfs.sources.labels import LabelSheet
from udfs.sources.listing import file_source
from udfs.sources.register import ROWS, Registration, item_of, register_items
from udfs.technical import Technical

PRESET = make_preset("default", detector="content", min_s=0.0, speech=False)
POLICY = Policy("any", (Rule("long", "duration_s", ">", 0.0),))
SETTINGS = Settings("talkvid", None, True)


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> dict[str, Path]:
    """Two different videos."""
    folder = tmp_path_factory.mktemp("videos")
    return {"first": moving_square(folder / "first.mp4", seconds=1), "other": moving_square(folder / "other.mp4", seconds=2)}


@pytest.fixture
def place(tmp_path: Path, videos: dict[str, Path]) -> Path:
    """Where the registered file lies."""
    return Path(shutil.copyfile(videos["first"], tmp_path / "a; 'b.mp4"))


@pytest.fixture
def lake(tmp_path: Path, place: Path) -> Lake:
    """A lake with that video and its one clip, which the active policy keeps."""
    lake = Lake.at(str(tmp_path / "lake"))
    lake.ledger.create()
    register(lake, place)
    clips = [clip | {"video_id": row["video_id"], "preset": "default"} for row in segmented(lake) for clip in row["clips"]]
    lake.ledger.append("clips", clips)
    lake.ledger.set("active_preset", "default")
    metadata.refresh(lake)
    make_active(lake.ledger, POLICY)
    verdict = {"policy": POLICY.name, "policy_hash": POLICY.policy_hash, "kept": True, "failed_rules": [], "decided_at": now()}
    lake.ledger.append("verdicts", [verdict | {"clip_id": clip["clip_id"]} for clip in clips])
    return lake


def register(lake: Lake, path: Path) -> None:
    """What `ingest` writes of a file."""
    source = file_source(str(path))
    intake = Intake(lake, [source], Known.of(lake.ledger), LabelSheet(), "ingest-1")
    for _, rows in register_items(Registration(lake.place.at("media")), [item_of(0, source)]):
        intake.commit([dict.fromkeys(ROWS.names) | row for row in rows])


def segmented(lake: Lake) -> list[dict]:
    """What the segmenting worker says of all pending videos."""
    items = pending_videos(lake, PRESET.name, segment_fingerprint(PRESET))
    return [row for _, rows in segment_items(SegmentPlan(PRESET), items) for row in rows]


def scored(lake: Lake) -> list[dict]:
    """What the scoring worker says of all pending clips."""
    plan = ScoringPlan.of([Technical()])
    items = pending_clips(lake, dict(plan.fingerprints), retry_failed=False)
    return [row for _, rows in score_items(plan, items) for row in rows]


def exported(lake: Lake, out: Path) -> list[dict]:
    """What the cutting worker says of all clips that an export wants."""
    plan = export_plan(lake, POLICY, SETTINGS, layout("talkvid", str(out), media=True, shard_size=9), None)
    (out / "cut").mkdir(parents=True)
    items = [clip | {"name": f"{number}.mp4"} for number, clip in enumerate(plan.new)]
    return [row for _, rows in cut_clips(CutPlan(str(out / "cut")), items) for row in rows]


def swap(place: Path, other: Path) -> str:
    """Put another file there; returns what failures say of it."""
    before = place.stat().st_size
    shutil.copyfile(other, place)
    return f"the file is another one than was registered ({before} bytes then, {place.stat().st_size} now); ingest it again"


def test_video_whose_file_was_changed_is_not_segmented(tmp_path, place, videos):
    lake = Lake.at(str(tmp_path / "new"))
    lake.ledger.create()
    register(lake, place)
    said = swap(place, videos["other"])
    (row,) = segmented(lake)
    assert (row["code"], row["detail"], row["clips"]) == ("vanished", said, [])


def test_changed_video_that_failed_is_pending_again_only_when_the_old_file_is_back(tmp_path, place, videos):
    lake = Lake.at(str(tmp_path / "new"))
    lake.ledger.create()
    register(lake, place)
    swap(place, videos["other"])
    (row,) = segmented(lake)
    failure = {"entity": row["video_id"], "stage": "segment", "fingerprint": segment_fingerprint(PRESET), "code": row["code"], "retryable": True}
    lake.ledger.append("failures", [failure | {"attempt": 1, "at": now()}])
    assert segmented(lake) == []
    register(lake, place)
    (of_new,) = segmented(lake)
    assert of_new["video_id"] != row["video_id"] and of_new["clips"]
    shutil.copyfile(videos["first"], place)
    assert {found["video_id"]: bool(found["clips"]) for found in segmented(lake)} == {row["video_id"]: True, of_new["video_id"]: False}


def test_clip_whose_file_was_changed_is_not_scored(lake, place, videos):
    said = swap(place, videos["other"])
    (row,) = scored(lake)
    assert row.get("technical") is None
    assert [(failure["code"], failure["detail"]) for failure in row["failures"]] == [("vanished", said)]


def test_file_that_was_only_touched_goes_on_working(lake, place, tmp_path):
    os.utime(place, ns=(1, 1))
    (row,) = scored(lake)
    assert row["technical"] and not row["failures"]
    (cut,) = exported(lake, tmp_path / "out")
    assert cut["code"] is None


def test_two_videos_of_one_address_are_kept_apart(lake, place, videos):
    swap(place, videos["other"])
    register(lake, place)
    of_new = [clip | {"video_id": row["video_id"], "preset": "default"} for row in segmented(lake) for clip in row["clips"]]
    lake.ledger.append("clips", of_new)
    metadata.refresh(lake)
    new_ids = {clip["clip_id"] for clip in of_new}
    rows = {row["clip_id"]: row for row in scored(lake)}
    assert new_ids and len(rows) > len(new_ids)
    assert {clip_id for clip_id, row in rows.items() if not row["failures"]} == new_ids


def test_clip_whose_file_was_changed_is_not_exported(lake, place, videos, tmp_path):
    said = swap(place, videos["other"])
    plan = export_plan(lake, POLICY, SETTINGS, layout("talkvid", str(tmp_path / "out"), media=True, shard_size=9), None)
    assert (plan.new, list(plan.failed.values()), list(plan.vanished.values())) == ([], ["vanished"], [said])


def test_file_of_the_same_size_is_looked_into_by_the_worker_and_then_left_alone(lake, place, tmp_path):
    data = bytearray(place.read_bytes())
    data[-1] ^= 1
    place.write_bytes(data)
    os.utime(place, ns=(1, 1))
    (row,) = exported(lake, tmp_path / "out")
    assert (row["code"], row["detail"]) == ("vanished", f"the file is another one than was registered, of the same {len(data)} bytes; ingest it again")
    failure = {"entity": row["clip_id"], "stage": "export", "fingerprint": SETTINGS.fingerprint, "code": "vanished", "retryable": True}
    lake.ledger.append("failures", [failure | {"attempt": 1, "at": now()}])
    plan = export_plan(lake, POLICY, SETTINGS, layout("talkvid", str(tmp_path / "out"), media=True, shard_size=9), None)
    assert (plan.new, list(plan.failed.values()), plan.vanished) == ([], ["vanished"], {})


def test_clip_whose_file_was_changed_is_not_prepared(lake, place, videos, monkeypatch):
    monkeypatch.setattr("udfs.preparing.load_tools", lambda *settings: None)
    said = swap(place, videos["other"])
    (item,) = prepare_plan(lake, POLICY, Wanted("p-1")).new
    (row,) = [row for _, rows in prepare_items(PreparePlan(PrepareSettings(), "p-1", lake.place.table("samples"), "r"), [item]) for row in rows]
    assert (row["code"], row["detail"]) == ("vanished", said)
    failure = {"entity": item["clip_id"], "stage": "prepare", "fingerprint": "p-1", "code": "vanished", "retryable": True, "attempt": 1, "at": now()}
    lake.ledger.append("failures", [failure])
    plan = prepare_plan(lake, POLICY, Wanted("p-1"))
    assert (plan.new, plan.failed) == ([], {item["clip_id"]})


def test_clip_whose_file_was_changed_is_not_cut_for_the_benchmark_and_not_chosen_again(lake, place, videos, tmp_path):
    (clip,) = lake.ledger.read("clip_metadata").to_pylist()
    labels = {"speaker_id": "1", "gender": "female", "source": "labels-csv"}
    video = lake.ledger.read("videos").to_pylist()[0]
    lake.ledger.merge("videos", lake.ledger.read("videos").from_pylist([video | {"labels": labels}], lake.ledger.read("videos").schema))
    metadata.refresh(lake)
    (chosen,) = make_pool(lake, POLICY, 0.5, {}, "b-1").candidates
    said = swap(place, videos["other"])
    facts = media_facts(lake, {clip["clip_id"]: chosen})[clip["clip_id"]]
    item = {"clip_id": clip["clip_id"], "axis": "gender", "folder": str(tmp_path / "out"), "start_s": 0.0, "end_s": 0.5, **facts}
    (row,) = [row for _, rows in cut_forms([item]) for row in rows]
    assert (row["code"], row["detail"]) == ("vanished", said)
    failure = {"entity": clip["clip_id"], "stage": "bench", "fingerprint": "b-1", "code": "vanished", "retryable": True, "attempt": 1, "at": now()}
    lake.ledger.append("failures", [failure])
    assert make_pool(lake, POLICY, 0.5, {}, "b-1").candidates == []
    shutil.copyfile(videos["first"], place)
    assert len(make_pool(lake, POLICY, 0.5, {}, "b-1").candidates) == 1


def test_report_shows_no_frame_of_another_file(lake, place, videos):
    swap(place, videos["other"])
    with connect(lake.ledger, POLICY) as engine:
        judge(engine, POLICY)
        (sheet,) = sheets(engine, POLICY)
    assert [(tile.picture, tile.lacks) for tile in sheet.tiles] == [("", "the file was there before and is gone, or is another one now")]
