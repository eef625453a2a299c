"""`talkvid generate` with one video and with a table of them: complete, resumable, not to be killed."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from jobs.arguments import verb_parser
from jobs.cli import Sessions, execute, run_verb
from jobs.generate import JOB
from jobs.generation_config import GenerateConfig, configure
from schemas import unfinished
from schemas.errors import MissingError, UsageError
from schemas.lake import Lake
from tests.inference.inputs import QUICK, portrait_file, smoke_checkpoint, tone


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """A model, two portraits, three sounds."""
    folder = tmp_path_factory.mktemp("inputs")
    smoke_checkpoint(folder / "trained")
    for name in ("a b.jpg", "ü.png"):
        portrait_file(folder / name)
    for number, seconds in enumerate((0.9, 1.3, 0.5)):
        tone(folder / f"sound {number}.wav", seconds, 200 + 100 * number)
    return folder


def table(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A CSV of these rows."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def wanted(inputs) -> list[dict[str, Any]]:
    """Three rows, paths beside the table."""
    rows = [
        {"generation_id": "one", "reference_image_path": "a b.jpg", "audio_path": "sound 0.wav", "seed": 5, "language": "german", "clip_id": "c1"},
        {"generation_id": "two", "reference_image_path": "ü.png", "audio_path": "sound 1.wav", "gender": "female"},
        {"reference_image_path": str(inputs / "a b.jpg"), "audio_path": "sound 2.wav", "num_inference_steps": 2},
    ]
    return rows


def config(inputs: Path, rows: list[dict[str, Any]], **changes: Any) -> GenerateConfig:
    """A batch over these rows."""
    path = table(inputs / f"table-{changes.pop('name', 'wanted')}.csv", rows)
    return GenerateConfig(str(inputs / "trained"), QUICK, table=str(path), device="cpu", quiet=True, **changes)


def generate(spark, lake: Lake, batch: GenerateConfig):
    """Run the verb as the command line does."""

    class Running(Sessions):
        def get(self):
            return spark

    lake.ledger.create()
    return execute(JOB, lake, batch, Running(None, {}))


def rows_of(lake: Lake) -> dict[str, dict[str, Any]]:
    """Rows of `generations` by id; none is there twice."""
    rows = lake.ledger.read("generations").to_pylist()
    assert len({row["generation_id"] for row in rows}) == len(rows)
    return {row["generation_id"]: row for row in rows}


def test_a_table_becomes_videos_and_rows_and_a_second_run_starts_nothing(spark, inputs, wanted, tmp_path):
    lake, batch = Lake.at(str(tmp_path / "lake")), config(inputs, wanted)
    summary = generate(spark, lake, batch)
    assert summary.counts == {"in": 3, "wanted": 3, "written": 3, "present": 0, "failed": 0}
    assert summary.results.startswith("RANDOM WEIGHTS") and summary.fingerprint.startswith("random:")
    rows = rows_of(lake)
    assert (rows["one"]["seed"], rows["one"]["language"], rows["one"]["clip_id"], rows["two"]["gender"]) == (5, "german", "c1", "female")
    assert [rows[name]["frames"] for name in ("one", "two")] == [9, 13] and rows["one"]["fps"] == 10.0
    assert json.loads(rows["one"]["parameters"])["num_inference_steps"] == 1
    assert all(row["status"] == "written" and Path(row["output_uri"]).stat().st_size == row["bytes"] for row in rows.values())
    assert all(row["fingerprint"].startswith("random:") and row["run_id"] == summary.extra["run_id"] for row in rows.values())
    assert all(str(tmp_path / "lake" / "generations") in row["output_uri"] for row in rows.values())
    version = lake.place.version("generations")
    again = execute(JOB, lake, batch, Sessions("spark://nowhere:1", {}))
    assert again.counts == {"in": 0, "wanted": 3, "written": 0, "present": 3, "failed": 0}
    assert lake.place.version("generations") == version


def test_a_row_gives_the_bytes_of_the_same_video_made_alone(spark, inputs, wanted, tmp_path, capsys):
    lake = Lake.at(str(tmp_path / "lake"))
    generate(spark, lake, config(inputs, wanted[:1], name="single", out=str(tmp_path / "out")))
    flags = [f"--{name}={value}" for name, value in QUICK.items()]
    words = ["--reference_image_path", str(inputs / "a b.jpg"), "--audio_path", str(inputs / "sound 0.wav"), "--output_path", str(tmp_path / "alone.mp4")]
    status = run_verb(
        JOB, [*words, *flags, "--seed", "5", "--checkpoint-path", str(inputs / "trained"), "--device", "cpu", "--quiet", "--lake", str(tmp_path / "no")]
    )
    assert status == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("RANDOM WEIGHTS") and told[-1].startswith("generate: in=1 wanted=1 written=1 present=0 failed=0 seconds=")
    assert (tmp_path / "alone.mp4").read_bytes() == (tmp_path / "out" / "one.mp4").read_bytes()
    assert not (tmp_path / "no").exists()


def test_only_what_changed_is_made_again_and_other_rows_stay(spark, inputs, wanted, tmp_path):
    lake = Lake.at(str(tmp_path / "lake"))
    assert generate(spark, lake, config(inputs, wanted, name="changing", limit=2)).counts == {"in": 2, "wanted": 2, "written": 2, "present": 0, "failed": 0}
    first = rows_of(lake)
    Path(first["two"]["output_uri"]).unlink()
    wanted[0] |= {"seed": 6}
    summary = generate(spark, lake, config(inputs, wanted, name="changing"))
    assert summary.counts == {"in": 3, "wanted": 3, "written": 3, "present": 0, "failed": 0}
    wanted[2] |= {"fps": 5}
    assert generate(spark, lake, config(inputs, wanted, name="changing")).counts == {"in": 1, "wanted": 3, "written": 1, "present": 2, "failed": 0}


def test_bad_inputs_are_rows_until_they_are_mended(spark, inputs, wanted, tmp_path):
    lake = Lake.at(str(tmp_path / "lake"))
    grey = tmp_path / "grey.png"
    _grey(grey)
    wanted[0] |= {"reference_image_path": str(grey)}
    wanted[1] |= {"audio_path": str(tmp_path / "later.wav")}
    batch = config(inputs, wanted, name="bad")
    assert generate(spark, lake, batch).counts == {"in": 3, "wanted": 3, "written": 1, "present": 0, "failed": 2}
    failures = {row["entity"]: row for row in lake.ledger.read("failures").to_pylist()}
    assert {name: (row["stage"], row["code"], row["attempt"]) for name, row in failures.items()} == {
        "one": ("generate", "no_face", 1),
        "two": ("generate", "vanished", 1),
    }
    assert str(grey) in failures["one"]["detail"] and rows_of(lake)["one"]["status"] == "failed"
    assert execute(JOB, lake, batch, Sessions("spark://nowhere:1", {})).counts == {"in": 0, "wanted": 3, "written": 0, "present": 1, "failed": 2}
    tone(tmp_path / "later.wav", 0.5)
    portrait_file(grey)
    assert generate(spark, lake, batch).counts == {"in": 2, "wanted": 3, "written": 2, "present": 1, "failed": 0}


def _grey(path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (200, 200), (90, 90, 90)).save(path)


def _kill_a_worker(parent: int, killed: list[int], ended: threading.Event) -> None:
    """Kill the first Python worker of Spark that has a video under way."""
    while not killed and not ended.is_set():
        for process in psutil.Process(parent).children(recursive=True):
            try:
                if any("libx264" in word for word in process.cmdline()):
                    worker = process.parent()
                    if worker is not None and any("pyspark.daemon" in word for word in worker.cmdline()):
                        os.kill(worker.pid, signal.SIGKILL)
                        killed.append(worker.pid)
                        break
            except (psutil.NoSuchProcess, ProcessLookupError):
                continue
        time.sleep(0.02)


def test_killed_worker_costs_only_a_retry(spark, inputs, wanted, tmp_path):
    lake, killed, ended = Lake.at(str(tmp_path / "lake")), [], threading.Event()
    killer = threading.Thread(target=_kill_a_worker, args=(os.getpid(), killed, ended))
    killer.start()
    batch = config(inputs, [wanted[0] | {"generation_id": f"k{number}"} for number in range(3)], name="killed", out=str(tmp_path / "out"))
    (tmp_path / "out").mkdir()
    ours, anothers = (unfinished.beside(tmp_path / "out" / f"{name}.mp4") for name in ("k1", "x1"))
    ours.write_bytes(b"of a killed worker")
    anothers.write_bytes(b"of another table's run, which is at work")
    try:
        summary = generate(spark, lake, batch)
    finally:
        ended.set()
        killer.join()
    assert killed, "nothing was there to kill"
    assert summary.counts == {"in": 3, "wanted": 3, "written": 3, "present": 0, "failed": 0}
    assert len(rows_of(lake)) == 3
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [anothers.name, "k0.mp4", "k1.mp4", "k2.mp4"]
    assert len({path.read_bytes() for path in (tmp_path / "out").glob("k*.mp4")}) == 1


def test_driver_killed_in_the_middle_loses_doubles_and_tears_nothing(spark, inputs, wanted, tmp_path):
    lake = Lake.at(str(tmp_path / "lake"))
    rows = [wanted[0] | {"generation_id": f"d{number}", "seed": number} for number in range(6)]
    batch = config(inputs, rows, name="driver", out=str(tmp_path / "out"))
    flags = [f"--{name}={value}" for name, value in QUICK.items()]
    words = ["generate", "--table", batch.table, "--out", batch.out, "--lake", lake.place.root, "--checkpoint_path", batch.checkpoint_path, *flags]
    driver = subprocess.Popen(
        [sys.executable, "-m", "jobs.cli", *words, "--device", "cpu", "--master", "local[1,4]"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 400
    while not list((tmp_path / "out").glob("*.mp4")) and driver.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    driver.kill()
    driver.wait()
    found = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.mp4")}
    assert 0 < len(found) < len(rows)
    summary = generate(spark, lake, batch)
    assert summary.counts["wanted"] == 6 == summary.counts["written"] + summary.counts["present"]
    assert len(rows_of(lake)) == 6
    after = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert sorted(after) == [f"d{number}.mp4" for number in range(6)]
    assert all(after[name] == data for name, data in found.items())


@pytest.mark.parametrize(
    ("rows", "error", "said"),
    [
        ([{"reference_image_path": "a b.jpg"}], MissingError, "no column audio_path"),
        ([{"reference_image_path": "a b.jpg", "audio_path": "x.wav", "guidence_scale": 3}], UsageError, "no flag called 'guidence_scale'"),
        ([{"reference_image_path": "a b.jpg", "audio_path": "x.wav", "seed": "many"}], UsageError, "row 2: seed is a whole number, not 'many'"),
        ([{"reference_image_path": "a b.jpg", "audio_path": "x.wav", "context_frames": 99}], UsageError, "row 2: context_frames is between"),
        ([{"reference_image_path": "", "audio_path": "x.wav"}], UsageError, "row 2: reference_image_path is empty"),
        ([{"reference_image_path": "a b.jpg", "audio_path": "x.wav", "generation_id": "../x"}], UsageError, "generation_id '../x'"),
        ([{"reference_image_path": "a b.jpg", "audio_path": "x.wav", "output_path": "x.avi"}], UsageError, "row 2: output_path 'x.avi' does not end in .mp4"),
        ([{"reference_image_path": "a b.jpg", "audio_path": "x.wav", "output_path": "/proc/x.mp4"}], UsageError, "/proc/x.mp4 cannot be written"),
        ([{"reference_image_path": "a b.jpg", "audio_path": "x.wav", "generation_id": "x"}] * 2, UsageError, "is also that of"),
    ],
)
def test_a_table_that_means_nothing_is_refused_before_anything_starts(inputs, tmp_path, rows, error, said):
    with pytest.raises(error, match=said.replace("../", r"\.\./")):
        generate(None, Lake.at(str(tmp_path / "lake")), config(inputs, rows, name="wrong"))


@pytest.mark.parametrize(("name", "said"), [("folder.mp4", "is a folder"), (f"{'o' * 300}.mp4", "cannot be written: File name too long")])
def test_every_output_of_a_table_is_looked_at(inputs, tmp_path, name, said):
    (tmp_path / "folder.mp4").mkdir()
    rows = [{"reference_image_path": "a b.jpg", "audio_path": "x.wav", "output_path": str(tmp_path / output)} for output in ("a.mp4", name, "z.mp4")]
    with pytest.raises(UsageError, match=said):
        generate(None, Lake.at(str(tmp_path / "lake")), config(inputs, rows, name="outputs"))


def test_a_parquet_file_and_a_table_of_the_lake_do_as_well(inputs, wanted, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq
    from deltalake import write_deltalake

    from jobs.generation_table import read_wishes, source_of

    lake = Lake.at(str(tmp_path / "lake"))
    rows = pa.table({"reference_image_path": ["a.jpg"], "audio_path": ["b.wav"], "seed": [3], "median_filter": [False]})
    pq.write_table(rows, tmp_path / "wishes.parquet")
    write_deltalake(lake.place.table("wishes"), rows)
    for name in (str(tmp_path / "wishes.parquet"), "wishes"):
        (wish,) = read_wishes(source_of(name, lake))
        assert wish.options == {"seed": 3, "median_filter": False}
    with pytest.raises(MissingError, match="neither such a file nor a table"):
        source_of("nothing", lake)


def test_a_video_that_cannot_be_written_is_told_before_the_model_is_loaded(inputs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("inference.generator.TalkVidInference", None)
    one = [f"--reference_image_path={inputs / 'a b.jpg'}", f"--audio_path={inputs / 'sound 0.wav'}", f"--checkpoint_path={inputs / 'trained'}"]
    assert run_verb(JOB, [*one, f"--output_path={inputs / 'a b.jpg' / 'o.mp4'}", f"--lake={tmp_path / 'no'}"]) == 2
    said = capsys.readouterr().err
    assert said.endswith("a b.jpg/o.mp4 cannot be written: Not a directory\n") and said.count("\n") == 1


def test_an_address_where_nothing_is_is_named(inputs, tmp_path, monkeypatch, capsys):
    from pyarrow.fs import LocalFileSystem

    monkeypatch.setattr("inference.generator.TalkVidInference", lambda *model, **how: None)
    monkeypatch.setattr("schemas.storage.filesystem", lambda uri: (LocalFileSystem(), f"{tmp_path}/store/p.jpg"))
    one = [f"--audio_path={inputs / 'sound 0.wav'}", f"--checkpoint_path={inputs / 'trained'}", f"--output_path={tmp_path / 'o.mp4'}"]
    assert run_verb(JOB, [*one, "--reference_image_path=s3a://b/p.jpg", f"--lake={tmp_path / 'no'}"]) == 3
    assert capsys.readouterr().err == "talkvid generate: --reference_image_path s3a://b/p.jpg: the object is not there any more\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--reference_image_path, --audio_path, --output_path is missing"),
        (["--table", "t.csv", "--audio_path", "a.wav"], "files stand in its columns"),
        (["--reference_image_path", "a", "--audio_path", "b", "--output_path", "c.mp4", "--retry-failed"], "belong to --table"),
        (["--reference_image_path", "a", "--audio_path", "b", "--output_path", "c.mp4", "--context_frames", "40"], "context_frames is between"),
        (["--reference_image_path", "a", "--audio_path", "b", "--output_path", "out.avi"], "give a name that ends in .mp4"),
        (["--reference_image_path", "a", "--audio_path", "b", "--output_path", "c.mp4", "--device", "gpu"], "it is auto, cpu, cuda or cuda:N"),
        (["--reference_image_path", "a", "--audio_path", "b", "--output_path", "c.mp4", "--device", "cpu", "--gpu_id", "0"], "exclude each other"),
        (["--table", "t.csv", "--gpu_id", "1"], "cuda:1 is one GPU"),
    ],
)
def test_words_that_do_not_go_together_are_usage_errors(words, said):
    with pytest.raises(UsageError, match=said):
        configure(verb_parser(JOB).parse_args(words))


def test_known_flags_are_taken_in_either_spelling():
    words = ["--reference-image-path", "a", "--audio_path", "b", "--output-path", "c.mp4", "--retarget-strategy", "naive_retarget", "--save_gpu_memory"]
    chosen = configure(verb_parser(JOB).parse_args([*words, "--no-median-filter", "--fps", "25", "--seed", "1"]))
    assert chosen.options == {"retarget_strategy": "naive_retarget", "median_filter": False, "fps": 25.0, "seed": 1}
    assert chosen.save_gpu_memory


@pytest.mark.parametrize("words", [["--gpu_id", "1"], ["--device", "cuda:1"], ["--device", "cuda", "--gpu-id=1"]])
def test_a_gpu_can_be_chosen(words):
    one = ["--reference_image_path", "a", "--audio_path", "b", "--output_path", "c.mp4"]
    assert configure(verb_parser(JOB).parse_args([*one, *words])).device == "cuda:1"
