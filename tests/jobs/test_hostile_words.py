"""Words from outside, on the command line, in policies, channels and the environment, are data: no SQL, no terminal, no secret gets out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs import remove
from jobs.remove import RemoveConfig
from schemas.errors import TalkvidError, UsageError
from schemas.lake import Lake
from schemas.policy_files import load
from tests.footage import moving_square
from tests.jobs.removal.lake_of_two import files_holding
from tests.small_lake import CLIPS, make_small_lake

CANARY = "canary-5c0ffee5-secret"
ENVIRONMENT = {"AWS_SECRET_ACCESS_KEY": CANARY, "AWS_ACCESS_KEY_ID": "an-id", "AWS_SESSION_TOKEN": CANARY + "-token"}
SQL = "x' OR '1'='1"


@pytest.fixture
def lake(tmp_path) -> Lake:
    return make_small_lake(tmp_path / "lake")


@pytest.mark.parametrize("words", [(SQL,), ("x'; DROP TABLE clips; --",), ("\x1b[31mred",)])
def test_a_word_that_is_no_id_is_refused(lake, words):
    with pytest.raises(UsageError) as raised:
        remove.run(None, lake, RemoveConfig(words))
    assert "\x1b" not in str(raised.value)
    assert lake.ledger.read("clips").num_rows == len(CLIPS)


def test_a_channel_in_sql_is_a_name_and_matches_nothing(lake):
    summary = remove.run(None, lake, RemoveConfig(channels=(SQL,), reason="'; DROP TABLE clips; --"))
    assert summary.counts["removed"] == 0
    assert lake.ledger.read("videos").num_rows == 1
    assert [row["channel"] for row in lake.ledger.read("removals").to_pylist()] == [SQL]


def test_nothing_of_a_removal_acts_on_a_terminal(lake):
    summary = remove.run(None, lake, RemoveConfig(("http://x/%1b",), channels=("\x1b[31m",), dry_run=True))
    assert "\x1b" not in "".join([summary.results, summary.line(), *summary.notes])


@pytest.mark.parametrize(
    "text",
    [
        "name: \"x'; DROP TABLE clips; --\"\nrules: [{name: a, column: duration_s, op: '>', value: 1}]",
        "name: ../../x\nrules: [{name: a, column: duration_s, op: '>', value: 1}]",
        "name: x\nrules: [{name: \"a' OR 1=1 --\", column: duration_s, op: '>', value: 1}]",
        "name: x\nrules: [{name: a, column: \"duration_s) OR (1=1\", op: '>', value: 1}]",
        "name: x\nrules: [{name: a, column: duration_s, op: '> 0 OR 1=', value: 1}]",
        "name: x\nrules: [{name: a, column: duration_s, op: '>', value: '1 OR 1=1'}]",
        "!!python/object/apply:os.system ['true']",
    ],
)
def test_no_sql_comes_in_through_a_policy(tmp_path, text):
    (tmp_path / "policy.yaml").write_text(text)
    with pytest.raises(TalkvidError):
        load(str(tmp_path / "policy.yaml"))


@pytest.mark.parametrize("value", ["1 OR 1=1", "1e0) OR (1=1", "nan", "inf", "0x1", "(SELECT 1)"])
def test_no_sql_comes_in_through_set(value):
    with pytest.raises(UsageError):
        load("lite").with_set({load("lite").rules[0].name: value})


def said(*words: str) -> str:
    """Everything that a verb prints, with the canary in its environment."""
    done = subprocess.run([sys.executable, "-m", "jobs.cli", *words], capture_output=True, text=True, timeout=200, env=os.environ | ENVIRONMENT, check=False)
    return done.stdout + done.stderr


def test_a_secret_of_the_environment_gets_nowhere(lake, tmp_path):
    """Tables, logs, event log, page, errors: bytes, and values of Parquet files."""
    root, logs = lake.place.root, tmp_path / "events"
    logs.mkdir()
    video = moving_square(tmp_path / "v.mp4", seconds=1)
    clip = {"preset": "default", "video_id": "w", "start_s": 0.0, "end_s": 0.6}
    sizes = {"width": 64, "height": 48, "fps": 25.0, "duration_s": 1.0, "has_audio": False}
    lake.ledger.append("videos", [{"video_id": "w", "uri": str(video), "sha256": "1", **sizes}])
    lake.ledger.append("clips", [clip | {"clip_id": "w-000000000-000000600"}])
    events = ["--conf", "spark.eventLog.enabled=true", "--conf", f"spark.eventLog.dir=file://{logs}", "--conf", "spark.eventLog.compress=false"]
    printed = said("score", "--lake", root, "--scorers", "technical", "--master", "local[1]", *events)
    assert "score: in=" in printed
    assert any(logs.rglob("*")) and files_holding(logs, [b"SparkListenerApplicationEnd"])
    for words in (
        ["filter", "--policy", "lite", "--save"],
        ["report"],
        ["sql", "--engine", "duckdb", "SELECT getenv('AWS_SECRET_ACCESS_KEY')"],
        ["sql", "--engine", "duckdb", "SELECT * FROM duckdb_secrets()"],
        ["filter", "--policy", "none"],
    ):
        printed += said(*words, "--lake", root)
    assert CANARY not in printed
    assert files_holding(Path(tmp_path), [CANARY.encode()]) == set()
