"""`clip_metadata` follows videos, clips and scores."""

from datetime import timedelta

import pyarrow as pa
import pytest

from jobs import metadata
from schemas import clips
from schemas.lake import Lake
from schemas.ledger import now

STARTED = now()


def video(name: str) -> dict:
    """A row of `videos`."""
    return {
        "video_id": name,
        "uri": f"/{name}.mp4",
        "sha256": name,
        "width": 64,
        "height": 48,
        "fps": 25.0,
        "duration_s": 9.0,
        "labels": {"language": "en", "source": "manifest"},
    }


def clip(name: str, video_id: str, preset: str = "default") -> dict:
    """A row of `clips`."""
    return {"clip_id": name, "video_id": video_id, "preset": preset, "start_s": 1.0, "end_s": 3.5}


def score(name: str, seconds: float, **structs: dict) -> dict:
    """A row of `scores`."""
    return {"clip_id": name, "run_id": "r", "scored_at": STARTED + timedelta(seconds=seconds), **structs}


@pytest.fixture
def lake(tmp_path) -> Lake:
    """A lake with two videos and three clips."""
    lake = Lake.at(str(tmp_path / "lake"))
    lake.ledger.create()
    lake.ledger.append("videos", [video("a"), video("b")])
    lake.ledger.append("clips", [clip("a-1", "a"), clip("a-2", "a"), clip("b-1", "b"), clip("b-9", "b", "talkvid")])
    return lake


def rows(lake: Lake) -> dict[str, dict]:
    """`clip_metadata` by clip."""
    return {row["clip_id"]: row for row in lake.ledger.read("clip_metadata").to_pylist()}


def test_clips_of_the_active_preset_appear_before_they_are_scored(lake):
    metadata.refresh(lake)
    shown = rows(lake)
    assert sorted(shown) == ["a-1", "a-2", "b-1"]
    assert shown["a-1"]["duration_s"] == 2.5
    assert shown["a-1"]["language"] == "en"
    assert shown["a-1"]["technical"] is None


def test_newest_struct_of_each_scorer_counts_and_older_ones_of_others_stay(lake):
    metadata.refresh(lake)
    lake.ledger.append("scores", [score("a-1", 1, technical={"noise": 1.0, "fingerprint": "t"}, flow={"survival": 0.5, "fingerprint": "f"})])
    lake.ledger.append("scores", [score("a-1", 2, technical={"noise": 2.0, "fingerprint": "t2"})])
    assert metadata.behind(lake) == 1
    metadata.refresh(lake)
    assert metadata.behind(lake) == 0
    shown = rows(lake)["a-1"]
    assert (shown["technical"]["noise"], shown["flow"]["survival"]) == (2.0, 0.5)
    assert shown["head"] is None


def test_refreshing_twice_writes_nothing(lake):
    assert metadata.refresh(lake) == 3
    version = lake.place.version("clip_metadata")
    assert metadata.refresh(lake) == 0
    assert lake.place.version("clip_metadata") == version


def test_one_new_clip_among_many_is_merged_not_rewritten(lake):
    lake.ledger.append("clips", [clip(f"b-{i:03d}", "b") for i in range(100)])
    metadata.refresh(lake)
    lake.ledger.append("clips", [clip("b-new", "b")])
    assert metadata.refresh(lake) == 1
    assert len(rows(lake)) == 104


def test_replaced_clips_leave_the_table(lake):
    metadata.refresh(lake)
    lake.ledger.replace("clips", pa.Table.from_pylist([clip("a-7", "a")], schema=clips.TABLE.schema), "preset = 'default' AND video_id IN ('a')")
    metadata.refresh(lake)
    assert sorted(rows(lake)) == ["a-7", "b-1"]


def test_switching_the_preset_shows_its_clips(lake):
    metadata.refresh(lake)
    lake.ledger.set("active_preset", "talkvid")
    metadata.refresh(lake)
    assert sorted(rows(lake)) == ["b-9"]
