"""`talkvid evaluate`: rows that equal hand-computed numbers, groups with their sizes, one harmless page, nothing measured twice."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.metrics.catalogue import Settings, chosen
from inference.metrics.gauges import Value
from inference.metrics.pixels import l1
from jobs.arguments import verb_parser
from jobs.cli import Sessions, execute
from jobs.evaluate import JOB, EvaluateConfig, configure, run
from jobs.evaluation_groups import Measured, rows
from jobs.evaluation_items import Item, of_folders, of_run
from jobs.report_page.evaluation import shown
from jobs.summary import Summary
from schemas.errors import MissingError, UsageError
from schemas.lake import Lake
from schemas.ledger import now
from tests.jobs.test_report import HOSTILE, assert_harmless
from udfs.footage import tiny_video
from udfs.media import frame_times, frames

CONFIG = EvaluateConfig(metrics=("l1", "psnr", "fid"), group_by=("language", "gender"), bootstrap=50, device="cpu", quiet=True)
MADE = {"g1": ("noise", "en", "female"), "g2": ("texture", "en", None), "g3": ("black", HOSTILE, "female"), "g4": ("noise", "en", "male")}
"""Generated video to its picture, language and gender; of g4 there is no real video."""


@pytest.fixture(scope="module")
def media(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate")
    for name, (kind, _, _) in MADE.items():
        (folder / "made").mkdir(exist_ok=True)
        tiny_video(folder / "made" / f"{name}.mp4", seconds=1.0, size=(64, 64), kind=kind, audio=None)
    for name in ("g1", "g2", "g3"):
        (folder / "real").mkdir(exist_ok=True)
        tiny_video(folder / "real" / f"{name}.mp4", seconds=1.0, size=(64, 64), kind="texture", audio=None, seed=5)
    return folder


@pytest.fixture
def lake(tmp_path, media) -> Lake:
    """A lake with one run of generate: four videos, a fifth that was not made, an older row of the first."""
    lake = Lake.at(str(tmp_path / "lake"))
    lake.ledger.create()
    lake.ledger.append("generations", [generation(media, "g1", output_uri="/nowhere.mp4")])
    lake.ledger.append("generations", [generation(media, name) for name in MADE])
    lake.ledger.append("generations", [generation(media, "g5", status="failed", code="no_face", output_uri=None)])
    return lake


def generation(media: Path, name: str, **changed) -> dict:
    _, language, gender = MADE.get(name, (None, None, None))
    real = media / "real" / f"{name}.mp4"
    made = media / "made" / f"{name}.mp4"
    row = {"generation_id": name, "run_id": "generate-1", "language": language, "gender": gender, "model_fingerprint": "random:smoke", "fingerprint": "f"}
    row |= {"output_uri": str(made), "bytes": made.stat().st_size if made.exists() else None, "duration_s": 1.0, "status": "written", "created_at": now()}
    return row | {"ground_truth_uri": str(real) if real.exists() else None} | changed


def without_spark(lake: Lake, config: EvaluateConfig):
    return execute(JOB, lake, config, Sessions("spark://nowhere:1", {}))


def by_hand(media: Path, name: str) -> float:
    shown = [[frame for _, frame in frames(path, frame_times(path), 0, 9, range(25))] for path in (media / side / f"{name}.mp4" for side in ("made", "real"))]
    return float(np.mean([l1(one, other) for one, other in zip(*shown, strict=True)]))


def evaluations(lake: Lake, run_id: str | None = None) -> dict[tuple, dict]:
    found = lake.ledger.read("evaluations").sort_by("created_at").to_pylist()
    return {(row["metric"], row["group_axis"], row["group_value"]): row for row in found if run_id in (None, row["run_id"])}


def test_rows_equal_hand_computed_values_and_groups_have_their_sizes(spark, lake, media):
    summary = run(spark, lake, CONFIG)
    assert summary.counts == {"in": 4, "wanted": 4, "written": 4, "present": 0, "failed": 0}
    found = evaluations(lake)
    alone = {name: by_hand(media, name) for name in ("g1", "g2", "g3")}
    whole = found["l1", "all", "all"]
    assert whole["value"] == pytest.approx(np.mean(list(alone.values())), rel=1e-9)
    assert (whole["n"], whole["clips"], whole["generation_run"]) == (3, 4, "generate-1")
    assert min(alone.values()) <= whole["low"] < whole["value"] < whole["high"] <= max(alone.values())
    english = found["l1", "language", "English"]
    assert english["value"] == pytest.approx((alone["g1"] + alone["g2"]) / 2, rel=1e-9) and (english["n"], english["clips"]) == (2, 3)
    assert found["l1", "gender", "not stated"]["value"] == pytest.approx(alone["g2"], rel=1e-9) and found["l1", "gender", "not stated"]["low"] is None
    male = found["l1", "gender", "male"]
    assert male["value"] is None and male["n"] == 0 and "no real video" in male["reason"]
    fid = found["fid", "all", "all"]
    assert fid["value"] is None and "weights fetch fid-inception" in fid["reason"]
    assert all(row["fingerprint"].startswith("random:") and row["convention"] for row in found.values())
    assert summary.results.splitlines()[0].startswith("RANDOM WEIGHTS: 4 of 4 videos")
    assert any("1 videos of generate-1 could not be generated" in note for note in summary.notes)
    assert any(note.startswith("evaluate: fid left out: weights fid-inception are missing") for note in summary.notes)
    assert all(len(line) < 160 for line in (*summary.notes, *summary.results.splitlines()[:-1]))

    page = Path(lake.place.root, "evaluation.html").read_text(encoding="utf-8")
    assert_harmless(page)
    assert page.index("RANDOM WEIGHTS") < page.index("<main>") and "By language" in page and "Not measured" in page and "alert" not in page

    before = lake.ledger.versions(("evaluated", "evaluations", "runs"))
    again = without_spark(lake, CONFIG)
    assert again.counts == {"in": 0, "wanted": 4, "written": 0, "present": 4, "failed": 0}
    assert lake.ledger.versions(("evaluated", "evaluations", "runs")) == before
    assert again.results.splitlines()[0] == summary.results.splitlines()[0]

    other = without_spark(lake, replace(CONFIG, group_by=(), metrics=("l1",)))
    assert other.counts["in"] == 0 and other.extra["metrics"]["l1"]["value"] == whole["value"], "groups are made anew from what was measured"


def test_a_run_that_was_cut_short_goes_on_and_failures_are_rows(spark, lake, media, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    lake.ledger.append("generations", [generation(media, "g2", output_uri=str(tmp_path / "text.mp4"))])
    config = replace(CONFIG, metrics=("l1",), group_by=())
    assert run(spark, lake, replace(config, limit=2)).counts == {"in": 2, "wanted": 2, "written": 1, "present": 0, "failed": 1}
    rest = run(spark, lake, config)
    assert rest.counts == {"in": 2, "wanted": 4, "written": 2, "present": 1, "failed": 1}
    measured = [row["item_id"] for row in lake.ledger.read("evaluated").to_pylist()]
    assert len(measured) == len(set(measured)) == 3
    (failure,) = lake.ledger.read("failures").to_pylist()
    assert (failure["stage"], failure["code"], failure["entity"]) == ("evaluate", "not_media", str(tmp_path / "text.mp4"))
    assert failure["detail"].startswith("the generated video")
    row = evaluations(lake)["l1", "all", "all"]
    assert (row["n"], row["clips"]) == (2, 4)
    assert "not_media" in Path(lake.place.root, "evaluation.html").read_text()
    assert without_spark(lake, config).counts == {"in": 0, "wanted": 4, "written": 0, "present": 3, "failed": 1}
    assert run(spark, lake, replace(config, retry_failed=True)).counts["in"] == 1
    lake.ledger.append("generations", [generation(media, "g2")])
    assert run(spark, lake, config).counts == {"in": 1, "wanted": 4, "written": 1, "present": 3, "failed": 0}


def test_driver_killed_in_the_middle_loses_doubles_and_measures_nothing_again(spark, lake, media):
    names = [f"k{number}" for number in range(12)]
    # Said to be five seconds long, so that the first batch is a third of them.
    rows = [generation(media, "g1", generation_id=name, run_id="generate-2", duration_s=5.0) for name in names]
    lake.ledger.append("generations", rows)
    config, before = replace(CONFIG, metrics=("l1", "psnr"), group_by=()), lake.place.version("evaluated")
    words = ["--lake", lake.place.root, "--metrics", "l1,psnr", "--group-by", "", "--bootstrap", str(config.bootstrap), "--device", "cpu"]
    driver = subprocess.Popen(
        [sys.executable, "-m", "jobs.cli", "evaluate", *words, "--master", "local[1,4]"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 200
    while lake.place.version("evaluated") == before and driver.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    driver.kill()
    assert driver.wait() == -signal.SIGKILL, "it had ended before"
    first = lake.ledger.read("evaluated").num_rows
    assert 0 < first < len(names)
    assert evaluations(lake) == {} and not Path(lake.place.root, "evaluation.html").exists()
    summary = run(spark, lake, config)
    assert summary.counts == {"in": 12 - first, "wanted": 12, "written": 12 - first, "present": first, "failed": 0}
    measured = [row["item_id"] for row in lake.ledger.read("evaluated").to_pylist()]
    assert len(measured) == len(set(measured)) == 12
    told = lake.ledger.read("evaluations").to_pylist()
    assert sorted((row["metric"], row["n"], row["clips"]) for row in told) == [("l1", 12, 12), ("psnr", 12, 12)]
    assert evaluations(lake)["l1", "all", "all"]["value"] == pytest.approx(by_hand(media, "g1"), rel=1e-9)
    assert without_spark(lake, config).counts == {"in": 0, "wanted": 12, "written": 0, "present": 12, "failed": 0}


def test_two_folders_are_paired_by_name_and_labelled_by_clip(lake, media):
    lake.ledger.append("clip_metadata", [{"clip_id": "g1", "language": "pl", "gender": "male"}])
    items = of_folders(lake, str(media / "made"), str(media / "real")).items
    assert [(item.name, Path(item.real).name if item.real else None) for item in items] == [
        *((name, f"{name}.mp4") for name in ("g1", "g2", "g3")),
        ("g4", None),
    ]
    assert items[0].group("language") == "Polish" and items[1].group("language") == "not stated"
    alone = of_folders(lake, str(media / "real"), str(media / "made")).items[-1]
    assert alone.generated is None and alone.real is not None
    with pytest.raises(MissingError, match="no folder"):
        of_folders(lake, str(media / "nowhere"), None)


def test_sets_have_a_value_for_each_group():
    random = np.random.default_rng(0)
    items = [Item(f"e{number}", f"v{number}", "g", "r", labels={"gender": ("f", "m", "Female", "male")[number % 4]}) for number in range(6)]
    measured = Measured({"fid": {item.item_id: Value() for item in items}})
    measured.features["fid"] = {item.item_id: {side: random.standard_normal((4, 5)) for side in ("generated", "real")} for item in items}
    measured.values["lse_c"] = {"e0": Value(4.0), "e1": Value(reason="the video has no sound")}
    settings = Settings(faces="centerface-dlib")
    metrics = [replace(metric, weights=()) for metric in chosen(["fid", "lse_c"])]
    found = {(row["metric"], row["group_value"]): row for row in rows(items, metrics, {}, measured, ("gender",), settings, 40)}
    assert [found["fid", group]["n"] for group in ("all", "female", "male")] == [6, 3, 3]
    assert found["fid", "female"]["value"] > 0 and "interval of 40 resamples" in found["fid", "female"]["convention"]
    assert "N1 = 12 generated, N2 = 12 real" in found["fid", "female"]["convention"]
    assert "N1" not in found["lse_c", "female"]["convention"]
    assert (found["lse_c", "all"]["value"], found["lse_c", "all"]["n"], found["lse_c", "male"]["value"]) == (4.0, 1, None)
    assert found["lse_c", "female"]["fingerprint"].startswith("evaluation-v2-")


def test_sizes_of_frames_stand_with_the_numbers_that_depend_on_them():
    items = [Item(f"e{number}", f"v{number}", "g", "r") for number in range(6)]
    measured = Measured({"lmd": {item.item_id: Value(1.0) for item in items}, "psnr": {item.item_id: Value(1.0) for item in items}})
    for number, size in enumerate((64, 512, 64, 512, 512)):
        data = np.array([size, 2 * size], "<f4").tobytes()
        measured.add({"item_id": f"e{number}", "values": [], "features": [{"metric": "frames", "side": "generated", "rows": 1, "width": 2, "data": data}]}, {})
    settings = Settings(faces="centerface-dlib")
    found = {row["metric"]: row["convention"] for row in rows(items, chosen(["lmd", "psnr"]), {"psnr": ""}, measured, (), settings, 5)}
    assert "; generated frames of 512x1024, 64x128;" in found["lmd"] and "real frames of" not in found["lmd"] and "64x128" not in found["psnr"]


def test_infinite_values_are_shown_and_kept():
    assert shown(float("inf")) == "∞" and shown(None) == "–" and shown(0.25) == "0.25"
    told = Summary("evaluate", {"in": 1}, extra={"metrics": {"psnr": {"value": float("inf"), "low": None, "high": 0.5}}, "more": [float("nan")]}).json()
    read = json.loads(told, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert read["metrics"]["psnr"] == {"value": "inf", "low": None, "high": 0.5} and read["more"] == ["nan"]


def test_random_and_real_models_are_not_averaged(lake, media):
    lake.ledger.append("generations", [generation(media, name, run_id="generate-2", model_fingerprint="talkvid-v1") for name in ("g1", "g2")])
    with pytest.raises(UsageError, match=r"4 videos were made with random weights \(generate-1\) and 2 with real ones \(generate-2\)"):
        of_run(lake, "all")
    assert len(of_run(lake, "generate-1").items) == 4 and len(of_run(lake, None).items) == 2
    lake.ledger.append("generations", [generation(media, "g1", run_id="generate-3")])
    with pytest.raises(UsageError, match="name one run"):
        without_spark(lake, replace(CONFIG, generations="all"))


def test_what_is_missing_or_wrong_is_one_sentence(lake, tmp_path):
    empty = Lake.at(str(tmp_path / "empty"))
    empty.ledger.create()
    with pytest.raises(MissingError, match="talkvid generate"):
        without_spark(empty, CONFIG)
    with pytest.raises(MissingError, match="there are generate-1"):
        without_spark(lake, replace(CONFIG, generations="generate-9"))
    with pytest.raises(MissingError, match="metric fid: the weights fid-inception"):
        without_spark(lake, replace(CONFIG, metrics=("fid",)))
    wrong = (
        ["--metrics", "sim"],
        ["--group-by", "shoe"],
        ["--reference", "x"],
        ["--generated", "x", "--generations", "y"],
        ["--out", "x.txt"],
        ["--bootstrap", "0"],
    )
    for words in wrong:
        with pytest.raises(UsageError):
            configure(verb_parser(JOB).parse_args(words))
    assert configure(verb_parser(JOB).parse_args(["--metrics", "psnr,l1", "--group-by", ""])).metrics == ("l1", "psnr")


def test_the_json_summary_has_the_metrics(spark, lake):
    summary = run(spark, lake, replace(CONFIG, metrics=("l1",)))
    told = json.loads(summary.json())
    assert told["metrics"]["l1"]["n"] == 3 and told["random"] is True and told["wanted"] == 4
