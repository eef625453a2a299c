"""A short run of the fuzz program: twelve broken files, each a row; and its watch sees what it is there to see."""

from pathlib import Path

import pytest

from benchmarks import fuzz
from schemas.codes import CODES
from udfs.memory_cap import LEAST_GIB


def test_each_broken_file_is_a_row_and_nothing_else_is_opened(tmp_path):
    outcome = fuzz.run(tmp_path, 12, seed=7)
    assert len({name for name, _, _ in outcome.rows}) == len(outcome.rows) == 12
    said = {said for _, said, _ in outcome.rows}
    assert said <= (set(CODES) | {"scored"}) - {"internal", "worker_died"}
    assert outcome.faults(12) == []
    if outcome.foreign is None:
        pytest.skip("strace is not installed: what is opened was not watched")


WATCHED = """7 openat(AT_FDCWD</empty>, "/w/turns/a.mp4", O_CREAT) = 3</w/turns/a.mp4>
7 openat(AT_FDCWD</empty>, "/w/in/a.mp4", O_RDONLY) = 3</w/in/a.mp4>
7 openat(AT_FDCWD</empty>, "/somewhere/secret.txt", O_RDONLY) = 3</somewhere/secret.txt>
7 openat(AT_FDCWD</w/in>, "b.mp4", O_RDONLY <unfinished ...>
8 openat(AT_FDCWD</empty>, "/gone", O_RDONLY) = -1 ENOENT
7 <... openat resumed>) = 3</w/in/b.mp4>
8 openat(AT_FDCWD</w/empty>, "playlist.m3u8", O_RDONLY) = -1 ENOENT
7 openat(AT_FDCWD</w/empty>, "/w/empty", O_RDONLY|O_DIRECTORY) = 3</w/empty>
7 openat(3</home>, "key", O_RDONLY) = 4</home/key>
8 socket(AF_INET, SOCK_STREAM, 0) = 4<socket:[1]>
"""
TURN = '7 openat(AT_FDCWD</empty>, "/w/turns/b.mp4", O_CREAT) = 3</w/turns/b.mp4>\n'


def test_the_watch_sees_a_neighbour_a_name_without_a_path_and_a_socket():
    socket, names = "8 socket(AF_INET, SOCK_STREAM, 0) = 4<socket:[1]>", ("b.mp4", "playlist.m3u8")
    assert fuzz.foreign_opens(WATCHED, Path("/w/in"), ["/w/scratch"]) == ["/home/key", "/somewhere/secret.txt", "/w/in/b.mp4", socket, *names]
    assert "/w/in/a.mp4" in fuzz.foreign_opens(TURN + WATCHED.partition("\n")[2], Path("/w/in"), [])


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (fuzz.Outcome([("a", "scored", 1.0)]), "2 files became 1 rows"),
        (fuzz.Outcome([("a", "scored", 1.0), ("b", "timeout", fuzz.LONGEST_S)]), "took 120 s or longer: b"),
        (fuzz.Outcome([("a", "internal", 1.0), ("b", "worker_died", 1.0)]), "ended as internal or worker_died: a, b"),
        (fuzz.Outcome([("a", "scored", 1.0)] * 2, ffmpeg_mib=LEAST_GIB * 1024), "the cap is"),
        (fuzz.Outcome([("a", "scored", 1.0)] * 2, foreign=["/somewhere/secret.txt"]), "/somewhere/secret.txt"),
    ],
)
def test_whatever_goes_wrong_is_said(outcome, said):
    (fault,) = outcome.faults(2)
    assert said in fault
    assert fuzz.Outcome([("a", "scored", 1.0)] * 2).faults(2) == []


def test_what_nobody_watched_is_not_good():
    rows = [("a", "scored", 1.0)]
    unseen, watched = fuzz.Outcome(rows), fuzz.Outcome(rows, foreign=[])
    assert watched.verdict(1) == ([], 0)
    assert unseen.verdict(1) == (["strace is not here: what was opened was not watched"], 3)
    assert unseen.verdict(2)[1] == watched.verdict(2)[1] == 1


@pytest.mark.parametrize("kind", fuzz.KINDS)
def test_the_same_seed_breaks_a_file_in_the_same_way(kind):
    from random import Random

    whole = {"mp4": b"\0\0\0 ftypisom" + bytes(600) + b"mvhd" + bytes(200), "mkv": b"\x1aE\xdf\xa3" + bytes(800)}
    once = fuzz.broken(whole, kind, "mp4", Random("x"))
    assert once == fuzz.broken(whole, kind, "mp4", Random("x"))
    assert once != whole["mp4"]
