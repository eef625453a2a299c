"""The kills that are drawn, and how what is left is compared: a comparison that sees nothing would pass every kill."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest

from benchmarks.killing.contents import Contents, Difference, contents, difference, torn
from benchmarks.killing.processes import Watch, all_processes, below
from benchmarks.killing.trial import Outcome
from benchmarks.kills import schedule
from schemas import unfinished
from schemas.lake import Lake
from schemas.ledger import now

POSSIBLE = {("ingest", "driver"): ["here", "cluster"], ("ingest", "cut"): ["cluster"], ("score", "driver"): ["here", "cluster"]}


def test_each_kind_comes_once_before_any_comes_again_and_then_in_the_other_place():
    kills = schedule(6, 3, POSSIBLE)
    assert kills == schedule(6, 3, POSSIBLE) and [kill.number for kill in kills] == list(range(6))
    assert {(kill.stage, kill.kind) for kill in kills[:3]} == {(kill.stage, kill.kind) for kill in kills[3:]} == set(POSSIBLE)
    assert {(kill.place, kill.kind) for kill in kills[3:]} == {("cluster", "driver"), ("cluster", "cut")}
    assert kills[0].dice(3).random() == schedule(1, 3, POSSIBLE)[0].dice(3).random() != kills[1].dice(3).random()


def test_rows_and_files_that_are_lost_doubled_or_changed_are_counted(tmp_path):
    lake = Lake.at(str(tmp_path / "lake"))
    lake.ledger.create()
    clip = {"preset": "default", "video_id": "v", "start_s": 0.0, "end_s": 1.0, "run_id": "one"}
    lake.ledger.append("clips", [clip | {"clip_id": "a"}, clip | {"clip_id": "b"}])
    (tmp_path / "out" / "videos").mkdir(parents=True)
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / "out" / "videos" / name).write_bytes(name.encode())
    wanted = contents(tmp_path)
    assert set(wanted.files) == {"out/videos/a.mp4", "out/videos/b.mp4"} and difference(wanted, contents(tmp_path)).none
    lake.ledger.append("clips", [clip | {"clip_id": "a", "run_id": "two"}])
    lake.ledger.append("settings", [{"key": "k", "value": "v", "set_at": now()}])
    (tmp_path / "out" / "videos" / "a.mp4").write_bytes(b"half")
    (tmp_path / "out" / "videos" / "b.mp4").unlink()
    unfinished.beside(tmp_path / "out" / "videos" / "b.mp4").write_bytes(b"half")
    found = contents(tmp_path)
    assert difference(wanted, found) == Difference(lost=1, twice=1, other=1)
    assert torn(wanted, tmp_path) == 1 and len(found.unfinished) == 1
    fewer = Contents(wanted.rows | {"clips": Counter()}, wanted.files, {"rank 0 step 1": 0.5})
    assert difference(wanted, fewer) == Difference(lost=2, twice=1)


OUTCOME = Outcome(0, "here", "score", "driver", True, 1.0, 2.0, "-9 then 0", 0.0, 0.0, 1, 2, lost=0, twice=0, other=0, torn=0, unfinished=0)


@pytest.mark.parametrize(
    "change", [{"struck": False}, {"statuses": "1 then 10"}, {"lost": 1}, {"twice": 1}, {"other": 1}, {"torn": 1}, {"unfinished": 1}], ids=str
)
def test_a_kill_is_bad_when_anything_is_wrong_after_it(change):
    assert OUTCOME.as_undisturbed and not replace(OUTCOME, **change).as_undisturbed


def test_what_a_process_starts_is_found_and_its_time_is_counted():
    child = "import time; [None for _ in iter(lambda: time.process_time() < 0.6, False)]"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", program]) as started, Watch(lambda: below(all_processes(), [started.pid])) as watch:
        started.wait()
    assert 0.3 < watch.cpu_s < 5.0


def test_a_process_whose_name_the_kernel_has_cut_inside_a_character_is_seen(tmp_path):
    process = subprocess.Popen([shutil.copy(shutil.which("sleep"), tmp_path / ("\u00fc" * 8)), "100"])
    try:
        assert all_processes()[process.pid].parent == os.getpid()
    finally:
        process.kill()
        process.wait()
