"""`talkvid prepare`: what becomes a sample, what is a failure, what is left alone, and what is taken out again."""

import contextlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from cluster.stages import Stage
from jobs import metadata
from jobs.cli import Sessions, execute, run_verb
from jobs.prepare import JOB, PrepareConfig, check, run
from schemas import unfinished
from schemas.active_policy import make_active
from schemas.errors import Interrupted, MissingError, UsageError, VerificationError
from schemas.lake import Lake
from schemas.ledger import now
from schemas.policy import Policy, Rule
from schemas.row_groups import GroupedTable, write_file
from udfs.footage import tiny_video
from udfs.media import frame_times, probe

SMOKE = PrepareConfig(smoke=True, device="cpu", quiet=True)
SPANS = {"talk": [(0.0, 1.0), (1.0, 2.0)], "mute": [(0.0, 1.0)], "drift": [(0.0, 1.0)]}
"""Clips of the lake by video: a face with sound, a face without, and no face at all."""


@pytest.fixture(scope="module")
def media(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("media")
    return {
        "talk": tiny_video(folder / "a'; b ü.mp4", seconds=2.0),
        "mute": tiny_video(folder / "mute.mp4", seconds=1.0, audio=None),
        "drift": tiny_video(folder / "drift.mp4", seconds=1.0, kind="texture"),
    }


@pytest.fixture
def lake(tmp_path, media) -> Lake:
    lake = Lake.at(str(tmp_path / "lake"))
    lake.ledger.create()
    for video_id in SPANS:
        add_video(lake, video_id, media[video_id])
    metadata.refresh(lake)
    make_active(lake.ledger, Policy("all", (Rule("speech", "speech_ratio", ">=", 0.5),)))
    return lake


def add_video(lake: Lake, video_id: str, path: Path) -> None:
    facts = probe(path)
    row = {"video_id": video_id, "uri": str(path), "sha256": video_id, "width": facts.width, "height": facts.height, "fps": facts.fps}
    labels = {"language": "English", "speaker_id": f"of {video_id}", "age_group": "19-30", "source": "labels-csv"}
    lake.ledger.append("videos", [row | {"duration_s": facts.duration_s, "has_audio": facts.has_audio, "labels": labels}])
    lake.ledger.append("clips", [clip(video_id, *span) for span in SPANS[video_id]])


def clip(video_id: str, start_s: float, end_s: float) -> dict:
    clip_id = f"{video_id}-{round(start_s * 1000):09d}-{round(end_s * 1000):09d}"
    return {"clip_id": clip_id, "preset": "default", "video_id": video_id, "start_s": start_s, "end_s": end_s, "speech_ratio": 1.0, "shot_index": 0}


class NoSpark(Sessions):
    """Fails when a job asks for a session."""

    def get(self):
        raise AssertionError("Spark was started")


class ThisSpark(Sessions):
    """Gives the session of the suite."""

    def __init__(self, spark) -> None:
        super().__init__(None, {})
        self.spark = spark

    def get(self):
        return self.spark


def prepared(lake: Lake, spark=None, config: PrepareConfig = SMOKE) -> dict[str, int]:
    """The counts of a run; without `spark` it must need none."""
    return execute(JOB, lake, config, ThisSpark(spark) if spark else NoSpark(None, {})).counts


def samples(lake: Lake) -> dict[str, dict]:
    rows = lake.ledger.read("samples").to_pylist()
    assert len(rows) == len({row["clip_id"] for row in rows})
    return {row["clip_id"]: row for row in rows}


def counts(**values: int) -> dict[str, int]:
    return {"in": 0, "wanted": 4, "written": 0, "present": 0, "failed": 0} | values


def test_line_of_runs(lake, spark, tmp_path):
    """Samples with all their columns; failures as rows; a rerun without Spark; new labels; latents beside; a clip that is gone."""
    table = Path(lake.place.table("samples"))
    unfinished.beside(table / "part-0.parquet").write_bytes(b"of a killed worker")
    assert prepared(lake, spark) == counts(**{"in": 4}, written=2, failed=2)
    assert not [path.name for path in table.iterdir() if path.name.startswith(".")]
    made = samples(lake)
    assert sorted(made) == ["talk-000000000-000001000", "talk-000001000-000002000"]
    row = made["talk-000000000-000001000"]
    assert (row["frames"], row["fps"], row["side_px"], row["duration_s"]) == (25, 25.0, 128, 1.0)
    assert (row["speaker_id"], row["language"], row["gender"], row["labels_source"]) == ("of talk", "English", None, "labels-csv")
    assert (len(row["keypoints"]), len(row["boxes"]), len(row["lip_boxes"]), row["interpolated"]) == (250, 100, 100, [0] * 25)
    assert (row["lip_source"], row["face_backend"], row["latents"]) == ("mouth_corners", "centerface-dlib", None)
    features = np.frombuffer(row["audio_features"], np.float16).reshape(row["audio_rows"], row["audio_width"])
    assert features.shape == (49, 768) and features.std() > 0.1
    left, top, right, bottom = row["crop"]
    assert right - left == bottom - top and min(left, top) >= 0 and right <= 320 and bottom <= 240
    (tmp_path / "s.mp4").write_bytes(row["video"])
    assert frame_times(tmp_path / "s.mp4") == pytest.approx(np.arange(25) / 25)
    assert row["fingerprint"].startswith("random:")
    failures = {(row["entity"], row["stage"]): row["code"] for row in lake.ledger.read("failures").to_pylist()}
    assert failures == {("mute-000000000-000001000", "prepare"): "no_audio", ("drift-000000000-000001000", "prepare"): "no_face"}
    version = lake.ledger.place.version("samples")

    assert prepared(lake) == counts(present=2, failed=2)
    assert lake.ledger.place.version("samples") == version

    relabel(lake, "talk", "Japanese")
    assert prepared(lake) == counts(present=2, failed=2)
    assert {row["language"] for row in samples(lake).values()} == {"Japanese"}

    assert prepared(lake, spark, replace(SMOKE, cache_latents=True)) == counts(**{"in": 2}, written=2, failed=2)
    again = samples(lake)
    latents = np.frombuffer(again[row["clip_id"]]["latents"], np.float16).reshape(25, 8, 16, 16)
    assert np.isfinite(latents).all() and latents.astype(np.float32).std() > 0
    assert all(sample["latents_fingerprint"].startswith("random:") for sample in again.values())
    assert again[row["clip_id"]]["video"] == row["video"] and again[row["clip_id"]]["prepared_at"] == row["prepared_at"]
    assert prepared(lake, config=replace(SMOKE, cache_latents=True)) == prepared(lake) == counts(present=2, failed=2)

    lake.ledger.replace("clips", pa.table({"clip_id": pa.array([], pa.string())}), "start_s = 1.0")
    assert prepared(lake) == counts(wanted=3, present=1, failed=2)
    assert list(samples(lake)) == ["talk-000000000-000001000"]


def relabel(lake: Lake, video_id: str, language: str) -> None:
    rows = [row | ({"labels": row["labels"] | {"language": language}} if row["video_id"] == video_id else {}) for row in lake.ledger.read("videos").to_pylist()]
    lake.ledger.replace("videos", pa.Table.from_pylist(rows, schema=lake.ledger.read("videos").schema), "true")
    metadata.refresh(lake)


def test_interrupted_run_keeps_what_it_committed_and_goes_on(lake, spark, monkeypatch):
    monkeypatch.setattr("jobs.batch_size.FIRST_BATCH_S", 0.01)
    monkeypatch.setattr("jobs.batches.layout", lambda spark, device, worker_gib: Stage(1))
    append, calls = GroupedTable.commit, []

    def stopped(table, added, dropped=()):
        calls.append(list(added))
        if len([files for files in calls if files]) == 2:
            raise Interrupted(15)
        return append(table, calls[-1], dropped)

    monkeypatch.setattr(GroupedTable, "commit", stopped)
    with pytest.raises(Interrupted):
        prepared(lake, spark)
    assert len(samples(lake)) == 1
    monkeypatch.undo()
    done = prepared(lake, spark)
    assert done["present"] == 1 and done["written"] == 1 and len(samples(lake)) == 2


@dataclass
class OfCluster:
    """The session of the suite, as a cluster's whose executors have so many GPUs each."""

    sparkContext: SimpleNamespace  # noqa: N815 - Spark's name
    conf: dict[str, str]

    @classmethod
    def with_gpus(cls, count: int) -> "OfCluster":
        return cls(SimpleNamespace(master="spark://m:7077"), {"spark.executor.resource.gpu.amount": str(count)})


@pytest.mark.parametrize(
    ("driver_gpus", "executor_gpus", "asked", "used"), [(0, 1, "cuda", "cuda"), (0, 1, "auto", "cuda"), (1, 0, "auto", "cpu"), (1, 1, "cpu", "cpu")]
)
def test_executors_decide_the_device_not_the_driver(lake, monkeypatch, driver_gpus, executor_gpus, asked, used):
    monkeypatch.setattr("udfs.device.visible_gpus", lambda: driver_gpus)
    given = []
    monkeypatch.setattr("jobs.prepare.in_batches", lambda spark, items, worker, **options: given.append((worker.args[0].device, options["device"])) or [])
    config = replace(SMOKE, device=asked, cache_latents=True)
    check(lake, config)
    with contextlib.suppress(VerificationError):
        run(OfCluster.with_gpus(executor_gpus), lake, config)
    assert set(given) == {(used, used)} and len(given) == 2


def test_gpu_that_executors_lack_is_one_sentence_before_samples_are_touched(lake, monkeypatch):
    monkeypatch.setattr("udfs.device.visible_gpus", lambda: 1)
    put(lake, [{"clip_id": "long-gone", "fingerprint": "random:prepare-v0-0"}])
    with pytest.raises(MissingError, match="executors have no GPU"):
        run(OfCluster.with_gpus(0), lake, replace(SMOKE, device="cuda"))
    assert list(samples(lake)) == ["long-gone"]


def test_failures_are_tried_again_only_when_asked_and_counted_up(lake, spark):
    lake.ledger.replace("clips", pa.table({"clip_id": pa.array([], pa.string())}), "video_id <> 'drift'")
    assert prepared(lake, spark) == counts(**{"in": 1}, wanted=1, failed=1)
    assert prepared(lake) == counts(wanted=1, failed=1)
    assert prepared(lake, spark, replace(SMOKE, retry_failed=True)) == counts(**{"in": 1}, wanted=1, failed=1)
    assert sorted(row["attempt"] for row in lake.ledger.read("failures").to_pylist()) == [1, 2]


def test_samples_of_another_fingerprint_give_way(lake, spark):
    old = {"clip_id": "talk-000000000-000001000", "fingerprint": "random:prepare-v0-0", "prepared_at": now(), "frames": 1}
    put(lake, [old, old | {"clip_id": "long-gone"}])
    assert prepared(lake, spark, replace(SMOKE, limit=1))["written"] <= 1
    assert {row["fingerprint"] for row in samples(lake).values()} <= {SMOKE.settings.fingerprint, "random:prepare-v0-0"}
    prepared(lake, spark)
    assert {row["fingerprint"] for row in samples(lake).values()} == {SMOKE.settings.fingerprint} and len(samples(lake)) == 2


def test_smoke_never_takes_the_place_of_real_samples(lake):
    put(lake, [{"clip_id": "talk-000000000-000001000", "fingerprint": "prepare-v1-0"}])
    with pytest.raises(UsageError, match="1 samples that were made with real weights"):
        prepared(lake)


def put(lake: Lake, rows: list[dict]) -> None:
    table = GroupedTable(lake.ledger, "samples")
    table.commit([write_file(table.root, "samples", pa.Table.from_pylist(rows, schema=lake.ledger.read("samples").schema))])


def test_missing_weights_are_one_sentence_and_exit_3(lake, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path))
    assert run_verb(JOB, ["--lake", lake.place.root]) == 3
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "wav2vec2-base-960h" in line and "talkvid weights fetch" in line and "Apache 2.0" in line


def test_random_weights_are_told_first(lake, capsys):
    put(lake, [])
    make_active(lake.ledger, Policy("none", (Rule("speech", "speech_ratio", ">=", 2.0),)))
    assert run_verb(JOB, ["--lake", lake.place.root, "--smoke", "--landmarks", "dlib68", "--device", "cpu"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("RANDOM WEIGHTS") and "prepare: in=0 wanted=0 written=0 present=0 failed=0 seconds=" in out.splitlines()[-1]
    assert "iBUG 300-W" in err


def test_json_is_one_object(lake, capsys):
    make_active(lake.ledger, Policy("none", (Rule("speech", "speech_ratio", ">=", 2.0),)))
    assert run_verb(JOB, ["--lake", lake.place.root, "--smoke", "--device", "cpu", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["wanted"] == 0 and told["fingerprint"].startswith("random:")
