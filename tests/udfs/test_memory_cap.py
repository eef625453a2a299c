"""A worker that takes too much memory costs the clip it was at, nothing else; ffmpeg has a cap of its own."""

import mmap
import os
import time

import pyarrow as pa
import pytest

from udfs import ffmpeg, memory_cap
from udfs.isolation import isolated
from udfs.memory_cap import Room, cap_gib, container_gib
from udfs.progress import Reporter
from udfs.spark import map_bins


def hungry(items):
    """Takes 600 MiB for one of its items."""
    for index, item in enumerate(items):
        held = bytearray(600 << 20) if item["name"] == "glutton" else b""
        time.sleep(0.5 if held else 0)
        yield index, [{"name": item["name"], "code": None}]


def test_a_worker_killed_for_memory_is_one_row(monkeypatch):
    monkeypatch.setenv(memory_cap.CAP, str(450 << 20))
    items = [{"name": "before"}, {"name": "glutton"}, {"name": "after"}]
    rows = dict(isolated(hungry, items, lambda item: [{"name": item["name"], "code": "worker_died"}]))
    assert [(rows[index][0]["name"], rows[index][0]["code"]) for index in range(3)] == [("before", None), ("glutton", "worker_died"), ("after", None)]


def died(item):
    """The row of an item that kills its worker."""
    return [{"name": item["name"], "code": "worker_died"}]


def test_a_worker_that_takes_all_room_of_its_executor_is_one_row_and_the_job_goes_on(spark):
    bins = [[{"name": name} for name in names] for names in (("before", "glutton", "after"), ("beside",))]
    rows = map_bins(
        spark, bins, hungry, schema=pa.schema([("name", pa.string()), ("code", pa.string())]), on_death=died, label=lambda item: item["name"],
        reporter=Reporter(), worker_gib=0.4, room=Room(workers=1, python_gib=1.0),
    )  # fmt: skip
    assert {row["name"]: row["code"] for row in rows.to_pylist()} == {"before": None, "glutton": "worker_died", "after": None, "beside": None}


@pytest.mark.parametrize(
    ("worker_gib", "room", "container", "cap"),
    [
        (1.0, Room(workers=8), None, 6),
        (3.0, Room(), None, 9),
        (3.0, Room(workers=2, python_gib=55), 64, 9),
        # cluster-conf for 4 cores and 8 GiB: 7 GiB of container, 1 of them the heap.
        (1.0, Room(workers=4, python_gib=6, heap_gib=1), 7, 2.5),
        (1.0, Room(workers=4, heap_gib=1), 7, 2.5),
        (3.0, Room(workers=2, python_gib=6, heap_gib=1), 7, 3),
        (3.0, Room(workers=1, python_gib=6, heap_gib=1), 7, 5.5),
        # A container smaller than the setting says.
        (1.0, Room(workers=2, python_gib=24, heap_gib=1), 6, 3.5),
        # A stage laid out for more than there is.
        (14.0, Room(python_gib=6, heap_gib=1), 7, 6),
        (1.0, Room(workers=16, heap_gib=4), 2, 1),
    ],
)
def test_the_cap_leaves_the_other_workers_of_the_executor_what_they_are_laid_out_for(worker_gib, room, container, cap):
    assert cap_gib(worker_gib, room, container) == cap


@pytest.mark.parametrize(
    ("files", "gib"),
    [({}, None), ({"v2": "max\n"}, None), ({"v2": "7516192768\n"}, 7), ({"v1": "9223372036854771712\n"}, None), ({"v1": "7516192768\n"}, 7)],
)
def test_the_container_s_limit_is_its_control_group_s(monkeypatch, tmp_path, files, gib):
    monkeypatch.setattr(memory_cap, "CONTAINER_LIMITS", (tmp_path / "v2", tmp_path / "v1"))
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert container_gib() == gib


def test_the_cap_counts_what_is_the_process_s_own():
    # Mapped here, since the C library hands out again what earlier tests gave back to it: such memory was counted before.
    with mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        before = memory_cap.own_bytes()
        for page in range(0, len(held), mmap.PAGESIZE):
            held[page] = 1
        assert 60 << 20 < memory_cap.own_bytes() - before < 90 << 20


def test_ffmpeg_cannot_take_more_than_its_cap(monkeypatch):
    large = ["-nostdin", "-loglevel", "level+error", "-f", "lavfi", "-i", "testsrc=size=6000x4000:rate=5:duration=1", "-f", "null", "-"]
    assert ffmpeg.run("ffmpeg", large, limit_s=60).status == 0
    monkeypatch.setattr(ffmpeg, "MEMORY_BYTES", 200 << 20)
    refused = ffmpeg.run("ffmpeg", large, limit_s=60)
    assert refused.status != 0


def test_a_reused_worker_has_the_cap_of_its_newest_stage(monkeypatch):
    monkeypatch.setenv(memory_cap.CAP, "1")
    monkeypatch.setattr(memory_cap, "keep_cap", lambda: None)
    monkeypatch.setattr(memory_cap, "CONTAINER_LIMITS", ())
    for worker_gib, cap in ((1.0, 6), (14.0, 42), (1.0, 6)):
        memory_cap.cap_memory(worker_gib)
        assert int(os.environ[memory_cap.CAP]) == cap << 30
