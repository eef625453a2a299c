"""The batch loop: everything once, poison isolated, batches sized by time."""

import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from jobs.batches import in_batches
from jobs.packing import chunks, makespan, pack, spread
from udfs.device import claim

SCHEMA = pa.schema([("name", pa.string()), ("outcome", pa.string()), ("numbers", pa.list_(pa.float64()))])


def echo(items: list[dict]) -> Iterator[tuple[int, list[dict]]]:
    """A worker that dies of some items."""
    for position, item in enumerate(items):
        if item.get("poison"):
            os.kill(os.getpid(), signal.SIGKILL)
        yield position, [{"name": item["name"], "outcome": "done", "numbers": [1.0, None]}]


def given_up(item: dict) -> list[dict]:
    """Rows of an item that killed its process."""
    return [{"name": item["name"], "outcome": "worker_died", "numbers": None}]


def on_gpu(folder: Path, processes: int, items: list[dict]) -> Iterator[tuple[int, list[dict]]]:
    """A worker that tells its GPU and its process, and works until as many processes as there should be have begun; they meet in a folder."""
    device = claim("cuda")
    (folder / f"begun-{os.getpid()}").touch()
    ends = time.monotonic() + 60
    for position, item in enumerate(items):
        while len(list(folder.glob("begun-*"))) < processes and time.monotonic() < ends:
            time.sleep(0.05)
        yield position, [{"name": item["name"], "outcome": f"{device.torch_name} {os.getpid()}", "numbers": None}]


@pytest.fixture
def machine_with_gpus(spark, tmp_path, monkeypatch):
    """Shows so many GPUs to whoever asks nvidia-smi, whatever this machine hides of its own; their locks are its own."""
    workers = spark.sparkContext.environment

    def shows(count: int) -> None:
        lines = "".join(f"GPU {index}: Stand-in\\n" for index in range(count))
        fake = tmp_path / "nvidia-smi"
        fake.write_text(f"#!/bin/sh\nprintf '{lines}'\n")
        fake.chmod(0o755)
        visible = ",".join(map(str, range(count)))
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        monkeypatch.setitem(workers, "CUDA_VISIBLE_DEVICES", visible)

    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    monkeypatch.setitem(workers, "PATH", path)
    monkeypatch.setitem(workers, "TMPDIR", str(tmp_path))
    return shows


def run(spark, items: list[dict], worker=echo, **options) -> list[pa.Table]:
    """All batches of a worker over items."""
    return list(
        in_batches(
            spark,
            items,
            worker,
            schema=SCHEMA,
            weigh=lambda item: 1.0,
            group=lambda item: item["video"],
            on_death=given_up,
            verb="test",
            label=lambda item: item["name"],
            quiet=True,
            **options,
        )
    )


def test_every_item_comes_back_once_in_batches_of_the_asked_size(spark):
    items = [{"name": str(i), "video": str(i // 3)} for i in range(20)]
    batches = run(spark, items, commit_every_items=8)
    assert [batch.num_rows for batch in batches] == [8, 8, 4]
    assert sorted(int(row["name"]) for batch in batches for row in batch.to_pylist()) == list(range(20))
    assert batches[0].to_pylist()[0]["numbers"] == [1.0, None]


def test_item_that_kills_python_becomes_one_row_and_the_others_survive(spark):
    items = [{"name": str(i), "video": "v", "poison": i == 5} for i in range(12)]
    rows = [row for batch in run(spark, items) for row in batch.to_pylist()]
    outcomes = {row["name"]: row["outcome"] for row in rows}
    assert len(rows) == 12
    assert outcomes.pop("5") == "worker_died"
    assert set(outcomes.values()) == {"done"}


@pytest.mark.parametrize("gpus", [1, 2])
def test_local_gpu_stage_has_one_process_for_each_gpu_and_none_that_waits(spark, machine_with_gpus, gpus, tmp_path):
    machine_with_gpus(gpus)
    items = [{"name": str(i), "video": str(i)} for i in range(12)]
    batches = run(spark, items, partial(on_gpu, tmp_path, gpus), device="cuda", commit_every_items=6)
    assert len(batches) > 1
    assert sorted(int(name) for batch in batches for name in batch["name"].to_pylist()) == list(range(12))
    owners = {tuple(outcome.split()) for batch in batches for outcome in batch["outcome"].to_pylist()}
    assert sorted(device for device, _ in owners) == [f"cuda:{index}" for index in range(gpus)]


def test_bins_of_slots_that_have_one_each_are_as_even_as_their_pieces():
    pieces = chunks([{"group": i, "weight": float(w)} for i, w in enumerate((5, 4, 3, 3, 3))], lambda item: item["group"])
    bins = spread(pieces, lambda item: item["weight"], 2)
    assert sorted(sum(item["weight"] for item in filled) for filled in bins) == [8.0, 10.0]
    assert len(spread(pieces[:1], lambda item: item["weight"], 2)) == 1


def test_chunks_keep_a_group_together_and_bins_shrink_so_that_slots_end_together():
    items = [{"group": "long", "weight": 1.0} for _ in range(600)] + [{"group": f"short{i}", "weight": 1.0} for i in range(40)]
    pieces = chunks(items, lambda item: item["group"])
    assert [len(piece) for piece in pieces[:3]] == [256, 256, 88]
    bins = pack(chunks(items, lambda item: item["group"], most=16), lambda item: item["weight"], 2)
    sizes = [len(filled) for filled in bins]
    assert sum(sizes) == 640
    assert sizes == sorted(sizes, reverse=True)
    assert makespan(bins, lambda item: item["weight"], 2) <= 1.02 * 640 / 2
    assert bins == pack(chunks(items, lambda item: item["group"], most=16), lambda item: item["weight"], 2)
