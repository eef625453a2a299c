"""A short run of the fuzz program: twelve broken files, each a row; and its watch sees what it is there to see."""

import pytest

from benchmarks import fuzz
from schemas.codes import CODES
from udfs.memory_cap import LEAST_GIB


def test_each_broken_file_is_a_row_and_nothing_else_is_opened(tmp_path):
    outcome = fuzz.run(tmp_path, 12, seed=7)
    assert len({name for name, _, _ in outcome.rows}) == len(outcome.rows) == 12
    said = {said for _, said, _ in outcome.rows}
    assert said <= (set(CODES) | {"scored"}) - {"internal", "worker_died"}
    assert max(seconds for _, _, seconds in outcome.rows) < fuzz.LONGEST_S
    assert max(outcome.worker_mib, outcome.ffmpeg_mib) < LEAST_GIB * 1024
    if outcome.foreign is None:
        pytest.skip("strace is not installed: what is opened was not watched")
    assert outcome.foreign == []


def test_the_watch_sees_a_neighbour_and_a_socket():
    trace = '7 openat(AT_FDCWD, "/somewhere/secret.txt", O_RDONLY) = 3\n7 openat(AT_FDCWD, "/in/a.mp4", O_RDONLY) = 3\n'
    trace += '7 openat(AT_FDCWD, "/gone", O_RDONLY) = -1 ENOENT\n8 socket(AF_INET, SOCK_STREAM, 0) = 4\n'
    assert fuzz.foreign_opens(trace, ["/in"]) == ["/somewhere/secret.txt", "8 socket(AF_INET, SOCK_STREAM, 0) = 4"]


@pytest.mark.parametrize("kind", fuzz.KINDS)
def test_the_same_seed_breaks_a_file_in_the_same_way(kind):
    from random import Random

    whole = {"mp4": b"\0\0\0 ftypisom" + bytes(600) + b"mvhd" + bytes(200), "mkv": b"\x1aE\xdf\xa3" + bytes(800)}
    once = fuzz.broken(whole, kind, "mp4", Random("x"))
    assert once == fuzz.broken(whole, kind, "mp4", Random("x"))
    assert once != whole["mp4"]
