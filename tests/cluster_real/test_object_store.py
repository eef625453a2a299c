"""Lakes on a real S3 server: the same rows as in a folder, one writer at a time, no secret anywhere."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.lease_race import TOLD_WITHIN_S, ends, told_s
from schemas import storage
from schemas.lake import Lake
from tests.cluster_real.s3_server import S3Server, serving

pytestmark = pytest.mark.cluster

CANARY = "canary-5f1e0c9ab2d7443e"
ROOT = Path(__file__).resolve().parents[2]
LAKE, OUT = "s3a://lake-bucket/lake", "s3a://lake-bucket/out"
OF_ONE_RUN = ("uri", "audio_uri", "subtitle_uri", "entity", "at", "run_id")
"""Columns with addresses, times and run ids, which differ because the lakes lie elsewhere and were made apart."""


@pytest.fixture(scope="session", autouse=True)
def _can_raise() -> None:
    """These tests need no namespaces."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A server whose secret is a canary."""
    with serving(tmp_path_factory.mktemp("s3") / "store", secret=CANARY) as running:
        yield running


def talkvid(*words: str, cwd: Path, **environment: str) -> subprocess.Popen:
    """`talkvid VERB …` begun in a process of its own, with what it prints in files."""
    folder = cwd / f"told-{time.monotonic_ns()}"
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "jobs.cli", words[0], *([] if "--engine" in words else ["--master", "local[2,4]"]), *words[1:]]
    with open(folder / "out", "w") as out, open(folder / "err", "w") as err:
        process = subprocess.Popen(command, cwd=cwd, env=os.environ | {"PYTHONPATH": str(ROOT)} | environment, stdout=out, stderr=err, start_new_session=True)
    process.told = folder  # type: ignore[attr-defined]
    return process


def done(*words: str, cwd: Path, status: int = 0, **environment: str) -> str:
    """What a verb printed that ran to its end with that exit status."""
    process = talkvid(*words, cwd=cwd, **environment)
    assert process.wait(timeout=400) == status, (process.told / "err").read_text()[-3000:]  # type: ignore[attr-defined]
    return (process.told / "out").read_text() + (process.told / "err").read_text()  # type: ignore[attr-defined]


def rows(lake: str, table: str) -> list[str]:
    """A table's rows without times, run ids and addresses, in an order of their own."""
    read = Lake.at(lake).ledger.read(table).to_pylist()
    kept = [{name: value for name, value in row.items() if name not in OF_ONE_RUN and not name.endswith("_at")} for row in read]
    return sorted(map(repr, kept))


def generation(lake: str) -> int:
    """How often a lake's lease has been taken."""
    return json.loads(storage.read_bytes(f"{lake}/.lease") or b"{}")["generation"]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where drivers run; nothing may be left there but what they printed."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def lakes(server: S3Server, footage: Path, work: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake and an export in a folder, and the same line run into the store with an event log."""
    events = work / "events"
    events.mkdir()
    alone = tmp_path_factory.mktemp("alone")
    line = ["run", str(footage), "--quiet", "--scorers", "technical,flow,head"]
    done(*line, "--lake", str(alone / "lake"), "--export", str(alone / "out"), cwd=work)
    log = [f"spark.eventLog.{name}" for name in ("enabled=true", "compress=false", f"dir=file://{events}")]
    log = [word for setting in log for word in ("--conf", setting)]
    done(*line, *log, "--lake", LAKE, "--export", OUT, cwd=work)
    return alone


@pytest.mark.parametrize("table", ["videos", "clips", "scores", "verdicts", "clip_metadata", "failures"])
def test_the_whole_line_into_a_store_gives_the_rows_that_it_gives_in_a_folder(lakes, table):
    there, here = rows(LAKE, table), rows(str(lakes / "lake"), table)
    assert there == here and there


def test_media_exports_and_report_lie_in_the_store_and_nothing_was_left_on_the_way(lakes, work):
    videos = Lake.at(LAKE).ledger.read("videos").to_pylist()
    assert all(storage.size(video["uri"]) == video["bytes"] and video["uri"].startswith(f"{LAKE}/media/{video['video_id']}/") for video in videos)
    exported = {file.uri.removeprefix(f"{OUT}/"): file.bytes for file in storage.listed(OUT)}
    local = {str(path.relative_to(lakes / "out")): path.stat().st_size for path in (lakes / "out").rglob("*") if path.is_file()}
    assert {name: size for name, size in exported.items() if name.endswith(".mp4")} == {name: size for name, size in local.items() if name.endswith(".mp4")}
    assert set(exported) == set(local)
    assert (storage.read_bytes(f"{LAKE}/report.html", 15) or b"").lower() == b"<!doctype html>"
    assert not [file for file in storage.listed(LAKE) if "/.incoming/" in file.uri]
    assert {path.name.partition("-")[0] for path in work.iterdir()} <= {"told", "events"}


def test_a_second_run_finds_nothing_new_and_writes_nothing(lakes, footage, work):
    before = [file for file in storage.listed(LAKE) if not file.uri.endswith("/.lease")]
    told = done("run", str(footage), "--quiet", "--scorers", "technical,flow,head", "--lake", LAKE.replace("s3a", "s3"), "--export", OUT, cwd=work)
    assert "run: in=0 " in told
    assert [file for file in storage.listed(LAKE) if not file.uri.endswith("/.lease")] == before


def test_both_engines_answer_alike_from_a_store_and_from_a_folder(lakes, work):
    query = "SELECT clip_id, flow.shake, head.avg_resolution FROM clip_metadata ORDER BY clip_id"
    answers = {done("sql", query, "--format", "csv", "--lake", lake, "--engine", "duckdb", cwd=work) for lake in (LAKE, str(lakes / "lake"))}
    process = talkvid("sql", query, "--format", "csv", "--lake", LAKE, cwd=work)
    assert process.wait(timeout=300) == 0
    answers.add((process.told / "out").read_text())  # type: ignore[attr-defined]
    assert len(answers) == 1 and answers.pop().count("\n") > 3


def test_of_two_drivers_at_once_one_works_and_the_other_is_told_within_ten_seconds(lakes, work):
    lake = "s3a://lake-bucket/race"
    done("ingest", str(lakes / "out"), "--quiet", "--lake", lake, cwd=work)
    began = time.monotonic()
    both = [talkvid("segment", "--quiet", "--preset", "default", "--lake", lake, cwd=work) for _ in range(2)]
    ended = ends(both, began)
    assert sorted(status for status, _ in ended) == [0, 5] and told_s(ended) < TOLD_WITHIN_S
    segmented = [row["video_id"] for row in Lake.at(lake).ledger.read("segmentations").to_pylist()]
    assert len(segmented) == len(set(segmented)) == len(Lake.at(lake).ledger.read("videos"))


def test_a_lease_that_a_killed_driver_left_is_taken_over_within_90_seconds_and_nothing_is_doubled(lakes, work):
    lake = "s3a://lake-bucket/race"
    killed = talkvid("score", "--quiet", "--scorers", "technical", "--commit-every", "1", "--lake", lake, cwd=work)
    while not Lake.at(lake).ledger.read("scores").num_rows and killed.poll() is None:
        time.sleep(0.3)
    os.killpg(killed.pid, signal.SIGKILL)
    began = time.monotonic()
    killed.wait()
    held = generation(lake)
    told = talkvid("score", "--quiet", "--scorers", "technical", "--lake", lake, cwd=work)
    while generation(lake) == held:
        assert told.poll() is None and time.monotonic() - began < 90
        time.sleep(0.2)
    assert told.wait(timeout=200) == 0
    assert "was left held by score" in (told.told / "err").read_text()  # type: ignore[attr-defined]
    scored = [row["clip_id"] for row in Lake.at(lake).ledger.read("scores").to_pylist()]
    assert len(scored) == len(set(scored)) == len(Lake.at(lake).ledger.read("clips"))


def test_a_server_that_is_away_for_twenty_seconds_costs_nothing_but_time(lakes, server, work):
    lake = "s3a://lake-bucket/away"
    done("ingest", str(lakes / "out"), "--quiet", "--lake", lake, cwd=work)
    done("segment", "--quiet", "--lake", lake, cwd=work)
    scoring = talkvid("score", "--quiet", "--scorers", "technical,flow", "--commit-every", "1", "--lake", lake, cwd=work)
    while not Lake.at(lake).ledger.read("scores").num_rows:
        assert scoring.poll() is None
        time.sleep(0.2)
    server.stop()
    time.sleep(20)
    server.start()
    assert scoring.wait(timeout=300) == 0, (scoring.told / "err").read_text()[-3000:]  # type: ignore[attr-defined]
    scored = [row["clip_id"] for row in Lake.at(lake).ledger.read("scores").to_pylist()]
    assert len(scored) == len(set(scored)) == len(Lake.at(lake).ledger.read("clips"))
    assert Lake.at(lake).ledger.read("failures").num_rows == 0


@pytest.mark.parametrize(
    ("lake", "environment", "sentence"),
    [
        ("s3a://no-such-bucket/lake", {}, "there is no bucket no-such-bucket"),
        (LAKE, {"AWS_SECRET_ACCESS_KEY": "another-" + CANARY}, "the store refuses"),
        (LAKE, {"AWS_ACCESS_KEY_ID": "nobody"}, "the store refuses"),
    ],
)
def test_a_store_that_cannot_be_used_is_one_sentence_and_exit_3(lakes, work, footage, lake, environment, sentence):
    for words in (["ingest", str(footage)], ["sql", "SELECT 1", "--engine", "duckdb"]):
        told = done(*words, "--lake", lake, cwd=work, status=3, **environment)
        assert sentence in told and "Traceback" not in told


def test_the_secret_is_found_nowhere(lakes, server, work):
    """Over all that the tests above wrote: what drivers printed, the event log, which is not packed, tables, logs and files of the store."""
    files = [path for folder in (work, lakes, server.folder) for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in files if CANARY.encode() in path.read_bytes()]
    events = [path for path in (work / "events").rglob("*") if path.is_file() and b"SparkListenerEnvironmentUpdate" in path.read_bytes()]
    assert len(files) > 50 and events


def test_the_secret_stands_in_no_argument_of_any_process(lakes, server, work):
    process = talkvid("sql", "SELECT count(*) FROM clips", "--lake", LAKE, cwd=work)
    seen: set[bytes] = set()
    while process.poll() is None:
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    seen.add((entry / "cmdline").read_bytes())
                except OSError:
                    continue
        time.sleep(0.2)
    assert process.returncode == 0
    assert any(b"org.apache.spark" in line for line in seen) and not any(CANARY.encode() in line for line in seen)
