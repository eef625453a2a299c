"""`talkvid score` on a real lake with real footage: complete, resumable, not to be killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.clips import lake_of_clips
from jobs import metadata
from jobs.arguments import verb_parser
from jobs.cli import Sessions, execute
from jobs.packing import bins_of
from jobs.score import JOB, ScoreConfig, configure, left_out, run, wanted_scorers
from schemas.errors import UsageError
from schemas.lake import Lake
from schemas.policy import Policy, Rule
from tests.footage import moving_square
from tests.udfs.nets.golden_rules import write_golden_checkpoint
from udfs import weights
from udfs.nets.cotracker3.network import CoTracker3
from udfs.nets.dover.network import Dover

CONFIG = ScoreConfig(scorers=("technical", "flow"), device="cpu", quiet=True)


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> list[Path]:
    """Three videos with names that shells would choke on."""
    folder = tmp_path_factory.mktemp("videos")
    return [moving_square(folder / name, seconds=3, size="320x240") for name in ("a b.mp4", "ü'; rm.mp4", "-dash.mp4")]


def lake_at(root: Path, videos: list[Path], clips: int = 9) -> Lake:
    """A segmented lake, nothing scored."""
    lake = lake_of_clips(root, videos, clips=clips, clip_s=1.0)
    metadata.refresh(lake)
    return lake


def measured(lake: Lake) -> dict[str, dict]:
    """What `clip_metadata` shows, without the time of scoring."""
    rows = lake.ledger.read("clip_metadata").to_pylist()
    return {row["clip_id"]: {name: value for name, value in row.items() if name != "scored_at"} for row in rows}


def scored_once(lake: Lake) -> bool:
    """True when no clip has two rows with the same scorer's fingerprint."""
    seen = [(row["clip_id"], name, row[name]["fingerprint"]) for row in lake.ledger.read("scores").to_pylist() for name in CONFIG.scorers if row[name]]
    return len(seen) == len(set(seen))


def test_all_clips_are_scored_once_and_a_second_run_starts_nothing(spark, videos, tmp_path):
    lake = lake_at(tmp_path / "lake", videos)
    summary = run(spark, lake, CONFIG)
    assert summary.counts == {"in": 9, "pending": 9, "scored": 9, "failed": 0}
    assert all(row["technical"]["sharpness"] > 0 and row["flow"] is not None for row in measured(lake).values())
    version = lake.place.version("scores")
    again = execute(JOB, lake, CONFIG, Sessions("spark://nowhere:1", {}))
    assert again.counts == {"in": 0, "pending": 0, "scored": 0, "failed": 0}
    assert lake.place.version("scores") == version


def test_numbers_do_not_depend_on_batches(spark, videos, tmp_path):
    one, many = lake_at(tmp_path / "one", videos), lake_at(tmp_path / "many", videos)
    run(spark, one, CONFIG)
    run(spark, many, ScoreConfig(scorers=CONFIG.scorers, commit_every_s=float("inf"), commit_every_items=2, device="cpu", quiet=True))
    assert measured(one) == measured(many)
    assert len(many.ledger.files("scores")) == 5


@pytest.fixture
def networks(spark, tmp_path, monkeypatch) -> None:
    """Golden weights of DOVER and CoTracker3, for this process and for Spark's."""
    folder = str(tmp_path / "weights")
    monkeypatch.setenv("TALKVID_WEIGHTS", folder)
    monkeypatch.setitem(spark.sparkContext.environment, "TALKVID_WEIGHTS", folder)
    for network in (Dover(), CoTracker3()):
        weights.add(write_golden_checkpoint(network, tmp_path / "some.pth"))


def test_numbers_of_large_networks_do_not_depend_on_bins(spark, videos, networks, tmp_path, monkeypatch):
    config = replace(CONFIG, scorers=("dover", "cotracker"), settings=(("cotracker.points_per_side", "3"),))
    found, sizes = [], []

    def dealt(items: list[dict], *rest: Any, together: bool, **named: Any) -> list[list[dict]]:
        bins = [items] if together else bins_of(items, *rest, **named)
        sizes.append([len(each) for each in bins])
        return bins

    for together in (True, False):
        monkeypatch.setattr("jobs.batches.bins_of", partial(dealt, together=together))
        lake = lake_of_clips(tmp_path / str(together), videos[:2], clips=2, clip_s=3.0)
        assert run(spark, lake, config).counts == {"in": 2, "pending": 2, "scored": 2, "failed": 0}
        found.append(measured(lake))
    assert sizes == [[2], [1, 1]]
    assert found[0] == found[1] and len(found[0]) == 2
    assert all(row["dover"]["overall"] is not None and row["cotracker"]["cotracker_ratio"] is not None for row in found[0].values())


def test_adding_a_scorer_scores_only_what_is_missing(spark, videos, tmp_path):
    lake = lake_at(tmp_path / "lake", videos)
    run(spark, lake, ScoreConfig(scorers=("technical",), device="cpu", quiet=True))
    assert run(spark, lake, CONFIG).counts["pending"] == 9
    assert scored_once(lake)
    assert all(row["technical"] and row["flow"] for row in measured(lake).values())


def test_vanished_video_is_a_failure_row_until_it_is_retried(spark, videos, tmp_path):
    moved = tmp_path / "moved.mp4"
    original = moving_square(tmp_path / "comes and goes.mp4", seconds=2, size="320x240")
    lake = lake_at(tmp_path / "lake", [videos[0], original], clips=5)
    original.rename(moved)
    assert run(spark, lake, CONFIG).counts == {"in": 5, "pending": 5, "scored": 3, "failed": 2}
    failures = lake.ledger.read("failures").to_pylist()
    assert {(row["stage"], row["code"], row["attempt"]) for row in failures} == {("score:technical", "vanished", 1), ("score:flow", "vanished", 1)}
    assert all(row["detail"].endswith(tuple("abcdefghijklmnopqrstuvwxyz")) and row["retryable"] for row in failures)
    assert run(spark, lake, CONFIG).counts["pending"] == 0
    moved.rename(original)
    retry = ScoreConfig(scorers=CONFIG.scorers, retry_failed=True, device="cpu", quiet=True)
    assert run(spark, lake, retry).counts == {"in": 2, "pending": 2, "scored": 2, "failed": 0}


def test_limit_leaves_the_rest_for_the_next_run(spark, videos, tmp_path):
    lake = lake_at(tmp_path / "lake", videos)
    assert run(spark, lake, ScoreConfig(scorers=CONFIG.scorers, limit=4, device="cpu", quiet=True)).counts["scored"] == 4
    assert run(spark, lake, CONFIG).counts["scored"] == 5


def test_a_scorer_that_is_left_out_is_one_short_line(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path))
    _, skipped = wanted_scorers(ScoreConfig())
    assert {"dover", "cotracker", "sync"} <= set(skipped)
    assert left_out("dover", ScoreConfig()) == "score: dover is left out: weights dover are missing (talkvid weights list)"
    assert all(len(left_out(name, ScoreConfig())) < 100 and "\n" not in left_out(name, ScoreConfig()) for name in skipped)


@pytest.mark.parametrize("order", [(("technical",), ("flow",)), (("technical",),)], ids=["named", "not named"])
def test_cascade_spares_failing_clips_until_its_rules_change(spark, videos, tmp_path, order):
    lake = lake_at(tmp_path / "lake", videos)
    strict = Policy("strict", (Rule("sharp", "technical.sharpness", ">=", 1e9),), cascade=order)
    spared = ScoreConfig(scorers=CONFIG.scorers, cascade=strict, device="cpu", quiet=True)
    summary = run(spark, lake, spared)
    assert summary.counts == {"in": 9, "pending": 9, "scored": 9, "failed": 0}
    assert summary.extra["spared"] == {"flow": 9}
    assert all(row["technical"] and not row["flow"] for row in measured(lake).values())
    assert run(spark, lake, spared).counts["pending"] == 0
    eased = replace(spared, cascade=strict.with_set({"sharp": "0"}))
    assert run(spark, lake, eased).counts["pending"] == 9
    assert all(row["flow"] for row in measured(lake).values())


def _kill_at_work(victim: str, parent: int, killed: list[int], ended: threading.Event) -> None:
    """Kill the first decoder below `parent`, or the worker that it decodes for, once."""
    while not killed and not ended.is_set():
        for process in psutil.Process(parent).children(recursive=True):
            try:
                worker = process.parent()
                if any("rawvideo" in word for word in process.cmdline()) and worker is not None and any("pyspark.daemon" in word for word in worker.cmdline()):
                    struck = worker.pid if victim == "worker" else process.pid
                    os.kill(struck, signal.SIGKILL)
                    killed.append(struck)
                    break
            except (psutil.NoSuchProcess, ProcessLookupError):
                continue
        time.sleep(0.02)


@pytest.mark.parametrize("victim", ["worker", "decoder"])
def test_killed_worker_or_decoder_costs_only_a_retry(spark, videos, tmp_path, victim):
    undisturbed, disturbed = lake_at(tmp_path / "undisturbed", videos), lake_at(tmp_path / "disturbed", videos)
    run(spark, undisturbed, CONFIG)
    killed: list[int] = []
    ended = threading.Event()
    killer = threading.Thread(target=_kill_at_work, args=(victim, os.getpid(), killed, ended))
    killer.start()
    try:
        summary = run(spark, disturbed, CONFIG)
    finally:
        ended.set()
        killer.join()
    assert killed, "nothing was there to kill"
    assert summary.counts == {"in": 9, "pending": 9, "scored": 9, "failed": 0}
    assert measured(disturbed) == measured(undisturbed)
    assert scored_once(disturbed)


def test_driver_killed_in_the_middle_loses_and_doubles_nothing(spark, videos, tmp_path):
    undisturbed, disturbed = lake_at(tmp_path / "undisturbed", videos), lake_at(tmp_path / "disturbed", videos)
    run(spark, undisturbed, CONFIG)
    words = ["score", "--lake", disturbed.place.root, "--scorers", "technical,flow", "--commit-every", "2", "--device", "cpu", "--master", "local[2,4]"]
    driver = subprocess.Popen([sys.executable, "-m", "jobs.cli", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 400
    while disturbed.place.version("scores") < 2 and driver.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    driver.kill()
    driver.wait()
    done = disturbed.ledger.read("scores").num_rows
    assert 0 < done < 9
    assert run(spark, disturbed, CONFIG).counts["scored"] == 9 - done
    assert measured(disturbed) == measured(undisturbed)
    assert scored_once(disturbed)


@pytest.mark.parametrize("text", ["", "0s", "soon", "-5"])
def test_commit_every_that_means_nothing_is_a_usage_error(text):
    with pytest.raises(UsageError, match="--commit-every"):
        configure(verb_parser(JOB).parse_args([f"--commit-every={text}"]))


def configured(*words: str) -> ScoreConfig:
    """The configuration of a command line."""
    return configure(verb_parser(JOB).parse_args(list(words)))


def test_setting_of_a_scorer_changes_what_is_measured_and_its_fingerprint(spark, videos, tmp_path):
    lake = lake_at(tmp_path / "lake", videos)
    assert run(spark, lake, replace(CONFIG, scorers=("technical",))).counts["scored"] == 9
    set_ = configured("--scorers", "technical", "--set", "technical.frames_per_s=8", "--device", "cpu", "--quiet")
    before = measured(lake)
    assert run(spark, lake, set_).counts["scored"] == 9
    after = measured(lake)
    assert all(before[clip]["technical"]["fingerprint"] != after[clip]["technical"]["fingerprint"] for clip in before)
    assert any(before[clip]["technical"]["sharpness"] != after[clip]["technical"]["sharpness"] for clip in before)
    assert execute(JOB, lake, set_, Sessions("spark://nowhere:1", {})).counts["in"] == 0


def test_setting_decides_which_weights_a_scorer_lacks(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path))
    config = configured("--set", "dover.onnx=true")
    assert "dover-onnx" in wanted_scorers(config)[1]["dover"]
    assert left_out("dover", config) == "score: dover is left out: weights dover-onnx are missing (talkvid weights list)"


@pytest.mark.parametrize("setting", ["flow.gap_s=0.04", "head.side_px=320"])
def test_setting_of_a_scorer_that_is_not_asked_is_a_usage_error(setting):
    with pytest.raises(UsageError, match=f"{setting.partition('.')[0]} is not among --scorers technical"):
        configured("--scorers", "technical", "--set", setting)


def test_setting_of_a_scorer_that_an_asked_one_needs_is_taken():
    assert configured("--scorers", "sync", "--set", "head.side_px=320").settings == (("head.side_px", "320"),)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--set", "head.backend=nonsense"], "no face back end 'nonsense'"),
        (["--scorers", "technical,sync", "--set", "sync.boxes=nonsense"], "no face back end 'nonsense'"),
        (["--scorers", "technical,beauty"], "no scorer called 'beauty'"),
    ],
)
def test_what_no_scorer_understands_is_refused_before_anything_runs(words, sentence):
    with pytest.raises(UsageError, match=sentence):
        configured(*words)
