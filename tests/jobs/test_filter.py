"""`talkvid filter` as a user runs it."""

import json
import os
import subprocess
import sys

import pytest

from schemas.active_policy import active_policy
from schemas.lake import Lake
from tests.small_lake import TALKVID_FAILED, make_small_lake


def talkvid(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "jobs.cli", *words], capture_output=True, text=True, timeout=120, env=os.environ | {"JAVA_HOME": "/none"})


@pytest.fixture
def lake(tmp_path) -> Lake:
    return make_small_lake(tmp_path / "lake")


def filtered(lake: Lake, *words: str) -> subprocess.CompletedProcess:
    answer = talkvid("filter", "--lake", lake.place.root, *words)
    assert answer.returncode == 0, answer.stderr
    return answer


def test_the_funnel_is_shown_and_nothing_is_written(lake):
    answer = filtered(lake, "--policy", "talkvid")
    *_, last = answer.stdout.splitlines()
    assert last.startswith("filter: in=6 clips=6 kept=2 rejected=4 seconds=")
    assert [line.split()[0] for line in answer.stdout.splitlines()[2:5]] == ["ingested", "segmented", "dover_scores"]
    assert lake.ledger.read("verdicts").num_rows == 0
    assert lake.ledger.read("runs").num_rows == 0
    assert active_policy(lake.ledger) is None


def test_a_threshold_moves_the_funnel_at_once(lake):
    answer = filtered(lake, "--policy", "talkvid", "--set", "head.avg_movement=85")
    assert " kept=1 rejected=5 " in answer.stdout.splitlines()[-1]
    assert "head.avg_movement >= 85" in answer.stdout


def test_clips_without_scores_are_named_on_stderr(lake):
    answer = filtered(lake, "--policy", "talkvid")
    assert "1 of 6 clips have no head scores" in answer.stderr
    assert "no head scores" not in answer.stdout


def test_random_weights_are_named_in_the_first_line(lake):
    row = next(row for row in lake.ledger.read("scores").to_pylist() if row["clip_id"] == "good")
    row["dover"]["fingerprint"] = "random:dover-v1-0"
    lake.ledger.append("scores", [row | {"clip_id": "unscored", "run_id": "score-2"}])
    answer = filtered(lake, "--policy", "talkvid", "--save")
    assert answer.stdout.splitlines()[0] == "RANDOM WEIGHTS: dover scores of 1 of 6 clips mean nothing"
    assert "RANDOM WEIGHTS" in answer.stderr


def test_json_is_one_object_with_the_funnel(lake):
    record = json.loads(filtered(lake, "--policy", "talkvid", "--json").stdout)
    assert (record["verb"], record["in"], record["clips"], record["kept"], record["rejected"]) == ("filter", 6, 6, 2, 4)
    assert record["fingerprint"] == record["policy_hash"] == record["funnel"][0]["policy_hash"]
    assert record["funnel"][-1]["clips_out"] == 2
    assert record["saved"] is False


def test_save_writes_every_verdict_and_makes_the_policy_active(lake):
    filtered(lake, "--policy", "talkvid", "--set", "avg_movement=85", "--save")
    rows = {row["clip_id"]: row for row in lake.ledger.read("verdicts").to_pylist()}
    failed = {name: row["failed_rules"] for name, row in rows.items() if name != "unscored"}
    assert failed == TALKVID_FAILED | {"restless": ["avg_movement"]}
    assert all(row["kept"] == (not row["failed_rules"]) for row in rows.values())
    active = active_policy(lake.ledger)
    assert {(row["policy"], row["policy_hash"]) for row in rows.values()} == {("talkvid", active.policy_hash)}
    assert "head.avg_movement >= 85" in [rule.expression for rule in active.rules]


def test_saving_again_writes_nothing(lake):
    filtered(lake, "--policy", "talkvid", "--save")
    versions = lake.ledger.versions(["verdicts", "settings", "runs"])
    answer = filtered(lake, "--policy", "talkvid", "--save")
    assert answer.stdout.splitlines()[-1].startswith("filter: in=0 clips=6 kept=2 rejected=4 ")
    assert lake.ledger.versions(["verdicts", "settings", "runs"]) == versions


def test_new_scores_are_judged_by_the_next_save(lake):
    filtered(lake, "--policy", "talkvid", "--save")
    good = next(row for row in lake.ledger.read("scores").to_pylist() if row["clip_id"] == "good")
    good["scored_at"] = good["scored_at"].replace(year=good["scored_at"].year + 1)
    lake.ledger.append("scores", [good | {"clip_id": "unscored", "run_id": "score-2"}])
    shown = filtered(lake, "--policy", "talkvid")
    assert "1 scored clips are not in clip_metadata yet" in shown.stderr
    answer = filtered(lake, "--policy", "talkvid", "--save")
    assert answer.stdout.splitlines()[-1].startswith("filter: in=6 clips=6 kept=3 rejected=3 ")
    assert lake.ledger.read("verdicts").num_rows == 6


def test_an_earlier_policy_is_active_again_without_new_verdicts(lake):
    filtered(lake, "--policy", "talkvid", "--save")
    filtered(lake, "--policy", "talkvid_paper", "--save")
    assert lake.ledger.read("verdicts").num_rows == 12
    answer = filtered(lake, "--policy", "talkvid", "--save")
    assert answer.stdout.splitlines()[-1].startswith("filter: in=0 ")
    assert active_policy(lake.ledger).name == "talkvid"
    assert lake.ledger.read("verdicts").num_rows == 12


def test_verdicts_that_a_killed_run_left_are_not_doubled(lake):
    filtered(lake, "--policy", "talkvid", "--save")
    table = lake.ledger.open("runs")
    table.delete()
    filtered(lake, "--policy", "talkvid", "--save")
    assert lake.ledger.read("verdicts").num_rows == 6


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--policy", "nothing"), 3, "there is no policy 'nothing'"),
        (("--policy", "talkvid", "--set", "nothing=1"), 2, "no such rule"),
        (("--policy", "talkvid", "--set", "avg_movement=much"), 2, "must be a number"),
        (("--policy", "talkvid", "--set", "avg_movement"), 2, "NAME=VALUE"),
        ((), 2, "--policy"),
    ],
)
def test_a_mistake_is_one_sentence(lake, words, status, said):
    answer = talkvid("filter", "--lake", lake.place.root, *words)
    assert answer.returncode == status
    assert said in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1
    assert answer.stdout == ""


def test_without_a_lake_it_says_how_to_make_one(tmp_path):
    answer = talkvid("filter", "--policy", "lite", "--lake", str(tmp_path / "none"))
    assert answer.returncode == 3
    assert "talkvid ingest" in answer.stderr
    assert not (tmp_path / "none").exists()


def test_save_waits_for_no_other_writer(lake):
    from schemas.lease import lease

    with lease(lake.place, "score"):
        assert talkvid("filter", "--lake", lake.place.root, "--policy", "lite", "--save").returncode == 5
        assert talkvid("filter", "--lake", lake.place.root, "--policy", "lite").returncode == 0
