"""The lake as driver and executors find it: shared, not shared, not to be used; nothing stays there."""

import socket
from dataclasses import replace

from schemas import storage
from tests.cluster_real.s3_server import serving
from udfs.lake_probe import OK, UNSHARED_FOLDER, UNSHARED_STORE, UNTRIED, answered, confirmed, laid


def test_machines_that_share_the_folder_find_each_other_s_file_and_nothing_stays(tmp_path):
    lake = tmp_path / "data" / "lake"
    with laid(str(lake)) as probe:
        answers = [answered(probe), answered(probe)]
        assert probe.told == OK
        assert [confirmed(probe, answer) for answer in answers] == [OK, OK]
    assert list(tmp_path.iterdir()) == []


def test_a_lake_that_was_there_keeps_its_files(tmp_path):
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "file").write_bytes(b"x")
    with laid(str(tmp_path / "lake")) as probe:
        answered(probe)
    assert [path.name for path in (tmp_path / "lake").iterdir()] == ["file"]


def test_a_machine_with_a_folder_of_its_own_is_told_and_gets_no_folder(tmp_path):
    with laid(str(tmp_path / "driver" / "lake")) as probe:
        there = replace(probe, lake=str(tmp_path / "node" / "lake"))
        answer = answered(there)
        assert confirmed(probe, answer) == UNSHARED_FOLDER
    assert not (tmp_path / "node").exists()


def test_another_doctor_s_file_under_the_same_name_is_not_the_driver_s(tmp_path):
    with laid(str(tmp_path / "driver")) as probe:
        there = replace(probe, lake=str(tmp_path / "node"))
        storage.put_bytes(b"left by another run", there.place)
        assert answered(there)["store"] == UNSHARED_FOLDER


def test_a_machine_whose_files_do_not_reach_the_driver_is_told(tmp_path):
    with laid(str(tmp_path / "lake")) as probe:
        answer = answered(probe)
        storage.delete(answer["left"])  # as from a copy that a node writes to alone
        assert confirmed(probe, answer) == UNSHARED_FOLDER


def test_where_the_driver_cannot_write_executors_write_nothing():
    with laid("/proc/nowhere/lake") as probe:
        assert probe.told.startswith("no write: ")
        answer = answered(probe)
        assert (answer["store"], answer["left"]) == (UNTRIED, "")
        assert confirmed(probe, answer) == UNTRIED


def test_a_write_that_fails_there_is_told_with_its_reason(tmp_path, monkeypatch):
    with laid(str(tmp_path / "lake")) as probe:
        monkeypatch.setattr(socket, "gethostname", lambda: "n" * 300)
        answer = answered(probe)
        assert answer["store"].startswith("no write: ")
        assert "too long" in confirmed(probe, answer)


def test_in_a_store_it_is_the_driver_s_object_that_counts(s3_server, tmp_path):
    with laid("s3a://lake-bucket/lake") as probe:
        assert probe.told == OK
        answer = answered(probe)
        assert confirmed(probe, answer) == OK
        with serving(tmp_path / "other"):
            assert answered(probe)["store"] == UNSHARED_STORE
        assert not list((tmp_path / "other" / "lake-bucket").rglob("*"))
    assert storage.listed("s3a://lake-bucket/") == []


def test_a_bucket_that_is_not_there_is_named(s3_server):
    with laid("s3a://no-such-bucket/lake") as probe:
        assert "no-such-bucket" in probe.told
