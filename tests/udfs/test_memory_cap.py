"""A worker that takes too much memory costs the clip it was at, nothing else; ffmpeg has a cap of its own."""

import mmap
import os
import time

from udfs import ffmpeg, memory_cap
from udfs.isolation import isolated


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
    for worker_gib, cap_gib in ((1.0, 6), (14.0, 42), (1.0, 6)):
        memory_cap.cap_memory(worker_gib)
        assert int(os.environ[memory_cap.CAP]) == cap_gib << 30
