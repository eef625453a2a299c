"""End to end: `talkvid demo` as a user runs it, and what becomes of every sample."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.arguments import verb_parser
from jobs.demo import JOB
from schemas.active_policy import active_policy
from schemas.duck import connect
from schemas.lake import Lake
from schemas.tables import TABLES
from udfs.footage import SAMPLES
from udfs.media import frame_times, probe

ALSO_FAILS = {"tiny-face.mp4": {"min_resolution"}, "two-faces.mp4": set()}
"""Rules that a sample fails beside the one that it is meant for."""
FAILURE_CODES = {"truncated"}
REPOSITORY = Path(__file__).resolve().parents[2]


def demo(folder: Path, *words: str) -> subprocess.CompletedProcess:
    """Run the verb in `folder`, as a user does."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    environment.pop("TALKVID_LAKE", None)
    command = [sys.executable, "-m", "jobs.cli", "demo", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=1800)


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> tuple[Path, str]:
    """The folder in which the demo ran, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    ended = demo(folder, "--full", "--master", "local[2,4]")
    assert ended.returncode == 0, ended.stderr
    return folder, ended.stdout


@pytest.fixture
def lake(done) -> Lake:
    return Lake.at(str(done[0] / "demo/lake"))


def by_file(lake: Lake) -> dict[str, list[dict]]:
    """Verdicts of the clips of each file, in order."""
    with connect(lake.ledger) as engine:
        rows = engine.sql("SELECT parse_filename(uri) AS file, kept, failed_rules FROM clip_metadata JOIN verdicts USING (clip_id) ORDER BY uri, start_s")
        found: dict[str, list[dict]] = {}
        for row in rows.to_arrow_table().to_pylist():
            found.setdefault(row["file"], []).append(row)
    return found


def test_every_sample_meets_the_fate_it_was_made_for(lake):
    verdicts = by_file(lake)
    outcomes = {Path(row["uri"]).name: row["outcome"] for row in lake.ledger.read("sources").to_pylist()}
    codes = {Path(row["entity"]).name: row["code"] for row in lake.ledger.read("failures").to_pylist()}
    assert sorted(outcomes) == sorted(SAMPLES)
    for name, expected in SAMPLES.items():
        if expected == "kept":
            assert len(verdicts[name]) == (3 if name == "three shots.mp4" else 1)
            assert all(clip["kept"] for clip in verdicts[name]), (name, verdicts[name])
        elif expected in ("duplicate", *FAILURE_CODES):
            assert name not in verdicts
            assert outcomes[name] == ("duplicate" if expected == "duplicate" else "failed")
            assert codes.get(name) == (None if expected == "duplicate" else expected)
        else:
            (clip,) = verdicts[name]
            failed = [rule for rule in clip["failed_rules"] if not rule.endswith(":missing")]
            assert failed[:1] == [expected], (name, clip)
            assert set(failed) <= {expected} | ALSO_FAILS.get(name, set()), (name, clip)


def test_each_rule_that_a_sample_was_made_for_drops_one_clip_in_the_funnel(lake):
    with connect(lake.ledger) as engine:
        dropped = dict(engine.execute("SELECT rule, clips_in - clips_out FROM funnel WHERE step > 1").fetchall())
    expected = {rule for rule in SAMPLES.values() if rule not in {"kept", "duplicate", *FAILURE_CODES}}
    assert {rule for rule, clips in dropped.items() if clips} == expected
    assert {dropped[rule] for rule in expected} == {1}


def test_the_kept_clips_are_a_dataset_of_whole_files(done, lake):
    dataset = done[0] / "demo/dataset"
    listed = json.loads((dataset / "filtered_video_clips.json").read_text())
    assert len(listed) == 4
    assert {record["info"]["Person ID"] for record in listed} == {"eileen-collins"}
    for record in listed:
        facts = probe(dataset / record["file"])
        assert facts.has_audio and facts.duration_s == pytest.approx(record["end-time"] - record["start-time"], abs=0.05)
        assert len(frame_times(dataset / record["file"])) == record["end-frame"] - record["start-frame"]


def test_the_report_is_there_with_a_frame_of_every_clip(done, lake):
    page = (done[0] / "demo/report.html").read_text()
    assert page.count("<img src=") == lake.ledger.read("clips").num_rows
    assert "4 of 10 clips kept" in page


def test_the_whole_line_ends_in_videos_that_were_measured_and_says_first_that_they_are_noise(done, lake):
    made = lake.ledger.read("generations").to_pylist()
    assert [row["status"] for row in made] == ["written"] * 2
    for row in made:
        facts, real = probe(row["output_uri"]), probe(row["ground_truth_uri"])
        assert facts.has_audio and row["fps"] == facts.fps == 25.0
        assert facts.frames == row["frames"] == pytest.approx(real.frames, abs=1)
    measured = {row["metric"]: row for row in lake.ledger.read("evaluations").to_pylist() if row["group_axis"] == "all"}
    assert 0 < measured["l1"]["value"] < 1 and measured["l1"]["n"] == 2
    assert measured["fid"]["value"] is None and "weights" in measured["fid"]["reason"]
    assert any(line.startswith("RANDOM WEIGHTS") for line in done[1].splitlines())
    assert (done[0] / "demo/evaluation.html").is_file()


def test_each_stage_of_training_goes_on_from_the_one_before(done):
    notes = [json.loads((done[0] / f"demo/model/stage_{stage}/model/model.json").read_text()) for stage in (1, 2, 3)]
    assert [note["stage"] for note in notes] == [1, 2, 3]
    assert all(note["random"] and note["fingerprint"].startswith("random:") for note in notes)


def test_a_newcomer_reads_what_became_of_each_file_and_what_to_do_next(done):
    lines = done[1].strip().splitlines()
    assert any(line.startswith("shaky.mp4") and line.endswith("shake") for line in lines)
    assert any(line.startswith("broken.mp4") and "truncated" in line for line in lines)
    assert any(line.startswith("Report") and line.endswith("demo/report.html") for line in lines)
    assert sum(line.startswith("  talkvid ") for line in lines) == 3
    assert lines[-1].startswith("demo: in=10 kept=4 rejected=6 failed=1 seconds=")


def test_a_second_demo_does_nothing_and_starts_no_spark(done, lake):
    before = lake.ledger.versions(sorted(TABLES))
    ended = demo(done[0], "--full", "--master", "spark://nowhere:1")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip().splitlines()[-1].startswith("demo: in=0 kept=4 rejected=6 failed=0 seconds=")
    assert lake.ledger.versions(sorted(TABLES)) == before


def test_the_active_policy_is_lite(lake):
    assert active_policy(lake.ledger).name == "lite"


def test_the_lake_lies_below_the_demo_unless_it_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    args = verb_parser(JOB).parse_args(["elsewhere"])
    assert JOB.configure(args).lake == args.lake == str(tmp_path / "elsewhere/lake")
    args = verb_parser(JOB).parse_args(["--lake", "mine", "--input", "videos"])
    assert (JOB.configure(args).lake, JOB.configure(args).source) == ("mine", "videos")
