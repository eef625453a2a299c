"""`talkvid maintain`: fewer files, the same rows, nothing new for any verb, and what a trainer reads stays."""

from pathlib import Path

import pytest

from jobs import maintain, metadata
from jobs.arguments import MOST
from jobs.history import idle_summary, record
from jobs.maintain import MaintainConfig
from jobs.summary import Summary
from schemas import unfinished
from schemas.lake import Lake
from schemas.ledger import now
from schemas.tables import TABLES


@pytest.fixture
def lake(tmp_path) -> Lake:
    """A lake with some tables in many small files."""
    lake = Lake.at(str(tmp_path / "lake"))
    lake.ledger.create()
    for number in range(6):
        video = {"video_id": f"v{number}", "uri": "/x", "sha256": str(number), "width": 1, "height": 1, "duration_s": 1.0}
        lake.ledger.append("videos", [video])
        lake.ledger.append("settings", [{"key": f"k{number}", "value": "v", "set_at": now()}])
    metadata.refresh(lake)
    return lake


def test_small_files_become_one_and_no_row_changes(lake):
    before = {name: sorted(lake.ledger.read(name).to_pylist(), key=repr) for name in TABLES if name not in ("runs", "settings")}
    summary = maintain.run(None, lake, MaintainConfig(vacuum_hours=0))
    assert "videos=6,1" in summary.results.splitlines()
    assert {line.partition("=")[0] for line in summary.results.splitlines()} == set(TABLES)
    assert {name: sorted(lake.ledger.read(name).to_pylist(), key=repr) for name in before} == before
    assert metadata.is_current(lake)
    assert metadata.refresh(lake) == 0


def test_what_killed_writers_left_half_written_goes(lake):
    halves = [unfinished.beside(Path(place)) for place in (lake.place.at("report.html"), lake.place.table("samples") + "/part-0.parquet")]
    for half in halves:
        half.write_bytes(b"half")
    maintain.run(None, lake, MaintainConfig())
    assert not [half for half in halves if half.exists()]


def test_old_files_stay_for_the_hours_that_were_asked_for(lake):
    version = lake.place.version("videos")
    maintain.run(None, lake, MaintainConfig())
    assert len(lake.ledger.files("videos")) == 1
    assert lake.ledger.open("videos", version).to_pyarrow_table().num_rows == 6


def test_the_longest_time_that_the_flag_takes_is_taken(lake):
    version = lake.place.version("videos")
    maintain.run(None, lake, MaintainConfig(MOST))
    assert lake.ledger.open("videos", version).file_uris()


def test_it_is_no_new_input(lake):
    config = MaintainConfig()
    record(lake, Summary("score", {"in": 6}), config, run_id="score-1", started=now(), depends_on=("videos", "clips"))
    maintain.run(None, lake, MaintainConfig(vacuum_hours=0))
    assert idle_summary(lake, "score", config, {"in": 0}) is not None
    lake.ledger.append("clips", [{"clip_id": "c", "preset": "default", "video_id": "v1", "start_s": 0.0, "end_s": 1.0}])
    assert idle_summary(lake, "score", config, {"in": 0}) is None


def test_what_a_trainer_streams_stays_until_it_has_ended(lake):
    version = lake.place.version("videos")
    train = {"run_id": "train-1", "verb": "train", "input_versions": [("videos", version)], "started": now()}
    lake.ledger.append("runs", [train])
    summary = maintain.run(None, lake, MaintainConfig(vacuum_hours=0))
    assert summary.notes == [f"maintain: version {version} of videos is being trained on, its files stay"]
    assert lake.ledger.open("videos", version).to_pyarrow_table().num_rows == 6
    lake.ledger.append("runs", [train | {"finished": now()}])
    assert "videos=7,1" in maintain.run(None, lake, MaintainConfig(vacuum_hours=0)).results
