"""The doctor: facts of this machine, what is made of them, and the verb's table and exit."""

import copy
import json
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest

from cluster.census import Census
from cluster.clocks import Skew, skews
from jobs import cli, doctor, doctor_lines
from udfs.health import executor_facts, facts
from udfs.lake_probe import UNSHARED_FOLDER, UNSHARED_STORE, LakeProbe, laid

CLOSE = Skew(-0.1, 0.1)


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> dict:
    """What this machine tells, as an executor would."""
    with laid(str(tmp_path_factory.mktemp("doctor") / "lake")) as probe:
        return executor_facts(probe) | {"gpu": None, "daemon": 1, "jvm_java": "17.0.15", "jvm_delta": "4.4.0"}


def advice(told: dict, first: dict, wants_gpu: bool = False, skew: Skew | None = CLOSE) -> dict[str, str]:
    return {line.what: line.advice for line in doctor_lines.executor("w1", told, first, wants_gpu, skew) if line.advice}


def test_a_machine_like_the_driver_has_nothing_to_do(told):
    assert advice(told, told) == {}
    assert all(line.fine for line in doctor_lines.driver(told, 7, ""))


def test_executors_that_did_not_come_are_a_fault():
    session = SimpleNamespace(version="4.2.0", sparkContext=SimpleNamespace(master="yarn", applicationId="a"), conf={})
    one = Census([{"host": "a"}], ["a"])
    assert doctor._session(session, one, asked=1).fine and doctor._session(session, one, asked=None).fine
    line = doctor._session(session, one, asked=2)
    assert line.advice.startswith("2 executors were asked for and 1 came in time: either no free node has")


def test_facts_know_the_machine(told):
    assert told["packages"]["pyarrow"]
    assert told["store"] == "ok"
    assert told["scratch"]["free_gib"] > 0
    assert told["weights"]["transnetv2"] == "ok"
    assert told["host"] in told["addresses"]


@pytest.mark.parametrize(
    ("what", "change", "word"),
    [
        ("python", {"python": "3.9.1"}, "spark.pyspark.python"),
        ("ffmpeg", {"ffmpeg": None}, "install ffmpeg"),
        ("ffmpeg build", {"ffmpeg": "ffmpeg version 6.0 Copyright"}, "one build everywhere"),
        ("scratch", {"scratch": {"folder": "/s", "free_gib": 0.5}}, "TALKVID_SCRATCH"),
        ("scratch", {"scratch": {"error": "PermissionError"}}, "TALKVID_SCRATCH"),
        ("lake", {"store": "no write: denied"}, "AWS_"),
        ("lake", {"store": UNSHARED_FOLDER}, "not shared: use an object store"),
        ("lake", {"store": UNSHARED_STORE}, "AWS_ENDPOINT_URL"),
        ("java", {"jvm_java": "11.0.2"}, "Java 17 or 21"),
        ("delta", {"jvm_delta": None}, "spark.jars.packages"),
        ("delta", {"jvm_delta": "4.0.0"}, "the driver has 4.4.0"),
        ("weights", {"weights": "ModuleNotFoundError: torch"}, "torch"),
    ],
)
def test_each_lack_has_its_advice(told, what, change, word):
    found = advice(copy.deepcopy(told) | change, told)
    assert list(found) == [what]
    assert word in found[what]


def test_other_packages_and_lacking_weights_are_named(told):
    other = copy.deepcopy(told)
    other["packages"] |= {"numpy": "1.0"}
    del other["packages"]["pyarrow"]
    other["weights"]["transnetv2"] = "missing"
    lines = {line.what: line for line in doctor_lines.executor("w1", other, told, False, CLOSE) if line.advice}
    assert set(lines) == {"packages", "weights"}
    assert "numpy 1.0 instead of" in lines["packages"].found
    assert "pyarrow missing" in lines["packages"].found
    assert lines["weights"].found == "transnetv2: missing"


def test_missing_weights_are_named_and_no_fault_on_the_driver_and_a_fault_where_the_driver_has_them(told):
    few = told | {"weights": {"transnetv2": "ok", "dover": "missing"}}
    (line,) = [line for line in doctor_lines.driver(few, 7, "") if line.what == "weights"]
    assert line.fine
    assert line.found.startswith("1 there: transnetv2; 1 missing: dover (what needs them is left out")
    assert advice(few, few) == {}
    assert "weights" in advice(few | {"weights": {"transnetv2": "the hash is wrong", "dover": "ok"}}, few)
    (line,) = [line for line in doctor_lines.driver(told | {"weights": {"a": "ok"}}, 7, "") if line.what == "weights"]
    assert line.found == "1 there: a"


@pytest.mark.parametrize(("java", "fine"), [("21", True), ("21.0.2", True), ("17-ea", True), ("1.8.0_402", False), ("11.0.21", False), ("170.1", False)])
def test_java_17_and_21_are_taken(told, java, fine):
    assert ("java" not in advice(told | {"jvm_java": java}, told)) is fine
    (line,) = [line for line in doctor_lines.driver(told | {"java": f'openjdk version "{java}" 2024-01-16'}, 7, "") if line.what == "java"]
    assert line.fine is fine


def test_an_executor_has_a_line_for_each_thing_that_the_driver_is_compared_in(told):
    lines = doctor_lines.executor("w1", told, told, False, CLOSE)
    assert {line.what for line in lines} == {"python", "packages", "java", "delta", "weights", "gpu", "clock", "ffmpeg", "scratch", "lake"}


def test_gpus_that_are_not_given_not_visible_or_given_twice(told):
    assert "spark.task.resource.gpu.amount" in advice(told, told, wants_gpu=True)["gpu"]
    assert "NVIDIA driver" in advice(told | {"gpu": "3"}, told, wants_gpu=True)["gpu"]
    assert advice(told | {"gpu": "0", "gpus": {"0": 81559}}, told, wants_gpu=True) == {}
    twice = doctor_lines.shared_gpus([told | {"gpu": "0"}, told | {"gpu": "0"}, told | {"gpu": "1"}])
    assert [line.found for line in twice] == ["GPU 0 was given to 2 executors"]


@pytest.mark.parametrize(
    ("skew", "word"),
    [
        (Skew(19.8, 20.2), "NTP"),
        (Skew(-20.2, -19.8), "NTP"),
        (Skew(4.9, 5.2), "NTP"),
        (Skew(6, 40), "NTP"),
        (Skew(-55, 42), "less busy"),
        (None, "run it again"),
    ],
)
def test_a_clock_that_is_off_or_cannot_be_told_is_said(told, skew, word):
    assert word in advice(told, told, skew=skew)["clock"]


def test_a_clock_is_told_as_closely_as_it_is_known(told):
    found = [
        line.found for skew in (Skew(-0.1, 0.2), Skew(-20.2, -19.8)) for line in doctor_lines.executor("w", told, told, False, skew) if line.what == "clock"
    ]
    assert found == ["within 0.2 s of the driver's", "20.0 s behind the driver's, give or take 0.2 s"]


@pytest.fixture
def same_session(spark, monkeypatch):
    """Verbs take the suite's session, and leave it."""

    class Kept:
        def get(self):
            return spark

    @contextmanager
    def sessions(*_: object):
        yield Kept()

    monkeypatch.setattr(doctor, "Sessions", sessions)


def test_the_verb_prints_a_table_and_exits_0_when_all_is_well(same_session, tmp_path, capsys):
    assert cli.run_verb(doctor.JOB, ["--lake", str(tmp_path / "lake")]) == 0
    out = capsys.readouterr().out
    assert "WRONG" not in out
    assert out.splitlines()[-1].startswith("doctor: in=9 ok=9 wrong=0")
    assert not (tmp_path / "lake").exists()


def test_the_verb_exits_3_after_the_table_when_something_is_wrong(same_session, tmp_path, capsys):
    assert cli.run_verb(doctor.JOB, ["--lake", "/proc/nowhere"]) == 3
    printed = capsys.readouterr()
    assert "WRONG" in printed.out
    assert "→ a lake is a folder" in printed.out
    assert "1 of 9 things are wrong" in printed.err


def test_a_lake_folder_that_an_executor_has_for_itself_is_wrong(same_session, tmp_path, monkeypatch, capsys, told):
    def census(_: object, ask, *__: object) -> Census:
        (probe,) = ask.args
        return Census([told | ask.func(replace(probe, lake=str(tmp_path / "node" / "lake")))], [told["host"]])

    monkeypatch.setattr(doctor, "is_local", lambda _: False)
    monkeypatch.setattr(doctor, "census", census)
    assert cli.run_verb(doctor.JOB, ["--json", "--lake", str(tmp_path / "lake")]) == 3
    lines = {(line["where"], line["what"]): line for line in json.loads(capsys.readouterr().out)["lines"]}
    assert lines["driver", "lake"]["advice"] == ""
    assert "not shared" in lines[told["host"], "lake"]["advice"]
    assert list(tmp_path.iterdir()) == []


def test_a_clock_is_told_though_looking_at_the_executor_took_longer_than_it_is_off(same_session, tmp_path, monkeypatch, capsys, told):
    def slow(_: LakeProbe) -> dict:
        time.sleep(8)
        return told

    monkeypatch.setattr(doctor, "is_local", lambda _: False)
    monkeypatch.setattr(doctor, "executor_facts", slow)
    monkeypatch.setattr(doctor, "skews", partial(skews, clock=lambda: time.time() + 7))
    cli.run_verb(doctor.JOB, ["--json", "--lake", str(tmp_path / "lake")])
    (line,) = [line for line in json.loads(capsys.readouterr().out)["lines"] if line["what"] == "clock"]
    assert "ahead of the driver's" in line["found"]
    assert "NTP" in line["advice"]


def test_an_executor_goes_by_the_name_that_yarn_gives_its_node(monkeypatch):
    monkeypatch.setenv("NM_HOST", "node7.example.org")
    assert "node7.example.org" in facts()["addresses"]


def test_an_executor_without_an_answer_is_named(told):
    found = Census([told | {"addresses": ["10.0.0.11"]}], ["10.0.0.11", "10.0.0.12"])
    assert doctor._unheard(found) == ["10.0.0.12"]
    assert "spark.pyspark.python" in doctor_lines.silent("10.0.0.12", "").advice
