"""Multipart uploads that a killed export, benchmark or training left in a store outside the lake: the next one gives them up."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from jobs import bench, export
from jobs.cli import run_verb
from jobs.export import ExportConfig
from jobs.train import JOB
from schemas import s3, uploads
from tests.jobs import test_bench, test_export
from tests.jobs.test_bench_on_a_store import cut_here
from tests.training_lake import make

BUCKET = "lake-bucket"
media, export_lake, bench_lake = test_export.media, test_export.lake, test_bench.lake


@pytest.fixture
def begun(s3_server):
    """Begins uploads, and tells which are still there; none is left at the end."""

    def left() -> list[str]:
        return sorted(upload["Key"] for upload in s3.client().list_multipart_uploads(Bucket=BUCKET).get("Uploads", ()))

    def begin(*keys: str):
        for key in keys:
            s3.client().create_multipart_upload(Bucket=BUCKET, Key=key)
        assert left() == sorted(keys)
        return left

    yield begin
    uploads.abort(f"s3a://{BUCKET}", mine=bool)


class Tomorrow(datetime):
    """A clock by which what is begun now is long abandoned."""

    @classmethod
    def now(cls, tz: object = None) -> datetime:
        return datetime.now(UTC) + uploads.ABANDONED + timedelta(minutes=5)


@pytest.mark.parametrize(("out", "layout"), [("some/out/", "webdataset"), ("", "talkvid")])
def test_an_export_gives_up_its_own_wherever_it_lies(begun, export_lake, out, layout):
    own = ["000001.tar", ".parts/v_a-000000000-000001000.mp4", "videos/v_a-000000000-000001000.mp4", "filtered_video_clips.json", "data/train/metadata.jsonl"]
    left = begun("elsewhere/000001.bin", f"{out}somebody.mp4", *(out + name for name in own))
    export.run(None, export_lake, ExportConfig(f"s3a://{BUCKET}/{out}".rstrip("/"), layout=layout, media=False, quiet=True))
    assert left() == sorted(["elsewhere/000001.bin", f"{out}somebody.mp4"])


def test_a_benchmark_gives_up_its_own(begun, bench_lake, monkeypatch):
    monkeypatch.setattr(bench, "in_batches", cut_here)
    left = begun("out/gender/videos/v_a-000000000-000001000.mp4", "out/notes.bin")
    bench.run("no session is needed", bench_lake, replace(test_bench.CONFIG, out=f"s3a://{BUCKET}/out"))
    assert left() == ["out/notes.bin"]


def test_a_training_gives_up_what_is_long_abandoned_in_its_stage_only(begun, tmp_path, monkeypatch):
    lake = make(str(tmp_path / "lake"), 3)
    words = ["--lake", lake.place.root, "--stage", "3", "--smoke", "--device", "cpu", "--quiet", "--output", f"s3a://{BUCKET}/model"]
    words += [word for setting in ("steps=1", "workers=0", "engine=plain", "validate_every=0", "start=random") for word in ("--set", setting)]
    others = ["model/stage_1/step-00000001/shard", "model/stage_30/part", "others/part"]
    mine = ["model/stage_3/step-00000001/shard", "model/stage_3.before-20260102T030405/shard"]
    left = begun(*others, *mine)
    assert run_verb(JOB, words) == 0
    assert left() == sorted([*others, *mine]), "another training of the stage may still be at it"
    monkeypatch.setattr(uploads, "datetime", Tomorrow)
    assert run_verb(JOB, [*words, "--set", "steps=2"]) == 0
    assert left() == sorted(others)
