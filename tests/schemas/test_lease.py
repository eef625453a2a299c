"""One writing verb per lake, in a folder and in a store; a lost lease is noticed before the next commit, and fenced off in the tables."""

import os
import signal
import subprocess
import sys
import threading
import time

import pyarrow as pa
import pytest

from schemas import held, lease_store, s3
from schemas.errors import BusyError, VerificationError
from schemas.lease import lease
from schemas.lease_store import StoreLease
from schemas.ledger import DECLARATION, Ledger
from schemas.place import Place

HOLD = """
import sys, time
from schemas.lease import lease
from schemas.place import Place
with lease(Place.of(sys.argv[1]), "score"):
    print("HELD", flush=True)
    time.sleep(600)
"""


@pytest.fixture(params=["folder", pytest.param("store", marks=pytest.mark.store)])
def place(request: pytest.FixtureRequest, tmp_path) -> Place:
    """A lake to be."""
    if request.param == "folder":
        return Place.of(str(tmp_path / "lake"))
    request.getfixturevalue("s3_server")
    return Place.of(f"s3a://lake-bucket/{tmp_path.name}")


@pytest.fixture
def store(s3_server, tmp_path) -> Place:
    """A lake in the store."""
    return Place.of(f"s3a://lake-bucket/{tmp_path.name}")


def holder(place: Place) -> subprocess.Popen:
    """Another process that holds the lease."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, place.root], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "HELD\n"
    return process


def setting(key: str) -> pa.Table:
    """A row of `settings`."""
    from schemas.ledger import now
    from schemas.tables import TABLES

    return pa.Table.from_pylist([{"key": key, "value": "1", "set_at": now()}], schema=TABLES["settings"].schema)


def test_the_second_one_is_told_who_writes_and_a_lease_given_back_is_free(place):
    other = holder(place)
    try:
        began = time.monotonic()
        with pytest.raises(BusyError, match=rf"score \(pid {other.pid} on .*\) is writing"), lease(place, "filter"):
            pass
        assert time.monotonic() - began < 10
    finally:
        other.kill()
        other.wait()
    if place.is_local:
        with lease(place, "filter"):
            assert held.of(place.root) is not None
        assert held.of(place.root) is None
    with lease(Place.of(place.root + "-2"), "filter"):
        pass
    with lease(Place.of(place.root + "-2"), "filter"):
        pass


def test_of_many_who_want_a_lease_at_once_one_gets_it(store):
    results: list[str] = []
    winners: list[StoreLease] = []

    def want() -> None:
        try:
            winners.append(StoreLease(store.root, "score", ttl_s=6, beat_s=0.5))
            results.append("held")
        except BusyError:
            results.append("busy")

    threads = [threading.Thread(target=want) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for winner in winners:
        winner.release()
    assert sorted(results) == ["busy"] * 5 + ["held"]


def test_a_lease_that_a_killed_holder_left_is_taken_over_after_its_time_and_not_before(store, monkeypatch, capsys):
    monkeypatch.setattr(lease_store, "SILENCE_S", 1.0)
    other = holder(store)
    other.kill()
    other.wait()
    began = time.monotonic()
    taken = StoreLease(store.root, "filter", ttl_s=3, beat_s=0.5)
    assert taken.taken_over and 3 <= time.monotonic() - began < 6
    assert "was left held by score" in capsys.readouterr().err
    taken.release()
    again = StoreLease(store.root, "filter")
    assert not again.taken_over and again.generation == taken.generation + 1
    again.release()


def settings(store: Place) -> list[str]:
    """Keys of all settings but the one that a new lake has."""
    return [row["key"] for row in Ledger(store).read("settings").to_pylist() if row["key"] != DECLARATION]


def test_a_paused_holder_learns_before_its_next_commit_that_its_lease_is_lost(store):
    Ledger(store).create()
    paused = StoreLease(store.root, "score", ttl_s=2, beat_s=60)
    held.hold(store.root, paused)
    Ledger(store).append_arrow("settings", setting("mine"))
    taken = StoreLease(store.root, "filter", ttl_s=2, beat_s=0.5)
    with pytest.raises(BusyError, match="taken over"):
        Ledger(store).append_arrow("settings", setting("late"))
    held.let_go(store.root)
    taken.release()
    assert settings(store) == ["mine"]


def test_a_pause_in_which_nobody_took_the_lease_does_no_harm(store):
    slow = StoreLease(store.root, "score", ttl_s=1, beat_s=60)
    time.sleep(1.2)
    slow.check()
    slow.release()


def test_a_commit_under_way_when_the_lease_is_taken_over_is_refused_by_the_tables(store):
    Ledger(store).create()
    made = store.version("settings")
    zombie = StoreLease(store.root, "score", ttl_s=2, beat_s=60)
    taken = StoreLease(store.root, "filter", ttl_s=2, beat_s=0.5)
    held.hold(store.root, taken)
    Ledger(store).fence()
    held.hold(store.root, zombie)
    zombie.check = lambda: None  # type: ignore[method-assign]  # it was checked before the pause
    with pytest.raises(BusyError, match="taken over"):
        Ledger(store).append_arrow("settings", setting("late"))
    held.let_go(store.root)
    taken.release()
    assert settings(store) == []
    assert store.data_version("settings", made) == made


def test_a_retried_commit_whose_first_answer_was_lost_is_not_made_twice(store, monkeypatch):
    from deltalake.exceptions import CommitFailedError

    from schemas import commits

    ledger = Ledger(store)
    ledger.create()
    opened = ledger.open("settings")

    def write_and_lose_the_answer(properties) -> None:
        from deltalake import write_deltalake

        write_deltalake(opened, setting("once"), mode="append", commit_properties=properties)
        raise CommitFailedError("Concurrent transaction failed.")

    commits.commit(store, opened, write_and_lose_the_answer)
    assert settings(store) == ["once"]


def test_a_commit_that_is_not_in_the_log_afterwards_is_told(store):
    from deltalake import write_deltalake

    from schemas import commits

    ledger = Ledger(store)
    ledger.create()
    opened = ledger.open("settings")

    def write_and_lose(properties) -> None:
        write_deltalake(opened, setting("lost"), mode="append", commit_properties=properties)
        bucket, key = s3.split(store.table("settings"))
        s3.client().put_object(Bucket=bucket, Key=f"{key}/_delta_log/{opened.version():020d}.json", Body=b'{"commitInfo":{"operation":"WRITE"}}\n')

    with pytest.raises(VerificationError, match="without the lease"):
        commits.commit(store, opened, write_and_lose)


def test_a_lease_survives_a_server_that_is_away_for_a_while(store, s3_server):
    taken = StoreLease(store.root, "score", ttl_s=20, beat_s=0.5)
    s3_server.stop()
    time.sleep(3)
    s3_server.start()
    time.sleep(2)
    taken.check()
    taken.release()


def test_a_stopped_holder_is_no_holder_for_ever(store, monkeypatch):
    other = holder(store)
    os.kill(other.pid, signal.SIGSTOP)
    try:
        taken = StoreLease(store.root, "filter", ttl_s=3, beat_s=0.5)
        assert taken.taken_over
        taken.release()
    finally:
        other.kill()
        other.wait()
