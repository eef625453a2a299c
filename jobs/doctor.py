"""`talkvid doctor`: looks at the driver and every executor, and says what to do."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from cluster import executor_jvm
from cluster.census import Census, census
from cluster.clocks import skews
from cluster.executors import await_asked, why_none
from cluster.jars import DELTA_COORDINATE, jars_in_cache, jars_installed
from cluster.stages import executor_gpus, is_local
from jobs import doctor_lines, text_table
from jobs.arguments import assignments
from jobs.cli import Sessions
from jobs.doctor_lines import Line
from jobs.job import Job
from jobs.summary import Summary
from schemas.errors import MissingError
from udfs.health import Facts, executor_facts, facts
from udfs.lake_probe import LakeProbe, confirmed, laid
from udfs.spark import take_gpu

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from schemas.lake import Lake

JVM = {"jvm_java": executor_jvm.JAVA, "jvm_delta": executor_jvm.DELTA}
"""Facts that an executor's JVM tells."""


@dataclass(frozen=True)
class DoctorConfig:
    """Which cluster."""

    master: str | None = None
    conf: tuple[tuple[str, str], ...] = ()


def arguments(parser: ArgumentParser) -> None:
    """No flags of its own."""


def configure(args: Namespace) -> DoctorConfig:
    """The configuration of a command line."""
    return DoctorConfig(args.master, tuple(assignments(args.conf, "--conf").items()))


def run(spark: "SparkSession | None", lake: "Lake", config: DoctorConfig) -> Summary:
    """Look at the driver, then through a session at every executor."""
    jars = jars_installed() or jars_in_cache()
    advice = "" if jars else f"run make setup, or give spark-submit --packages {DELTA_COORDINATE}"
    with laid(lake.place.root) as probe:
        mine = facts() | {"store": probe.told}
        lines = [*doctor_lines.driver(mine, len(jars), advice), *_cluster(config, mine, probe)]
    wrong = [line for line in lines if not line.fine]
    summary = Summary("doctor", {"in": len(lines), "ok": len(lines) - len(wrong), "wrong": len(wrong)}, results=_table(lines))
    summary.extra["lines"] = [{"where": line.where, "what": line.what, "found": line.found, "advice": line.advice} for line in lines]
    if wrong:
        summary.failure = MissingError(f"{len(wrong)} of {len(lines)} things are wrong; each line above says what to do")
    return summary


def _cluster(config: DoctorConfig, mine: Facts, probe: LakeProbe) -> list[Line]:
    """Lines of the session and its executors."""
    with Sessions(config.master, dict(config.conf)) as sessions:
        try:
            session = sessions.get()
        except MissingError as error:
            return [Line("cluster", "session", "none", str(error))]
        asked = None if is_local(session) else await_asked(session)
        found = census(session, partial(executor_facts, probe), take_gpu, JVM)
        lines = [_session(session, found, asked)]
        if is_local(session):
            return lines if found.answers else [*lines, doctor_lines.silent("worker", found.error)]
        gpus = executor_gpus(session) > 0
        clocks = skews(session, [_key(told) for told in found.answers])
        mine = mine | {"jvm_delta": session._jvm.io.delta.package.VERSION()}
    names = _names(found.answers)
    for name, told in zip(names, found.answers):
        lines += doctor_lines.executor(name, told | {"store": confirmed(probe, told)}, mine, gpus, clocks.get(_key(told)))
    return [*lines, *(doctor_lines.silent(host, found.error) for host in _unheard(found)), *doctor_lines.shared_gpus(found.answers)]


def _session(session: "SparkSession", found: Census, asked: int | None) -> Line:
    """The line of the session; fewer executors than were asked for are a fault."""
    where = "this machine" if is_local(session) else session.sparkContext.master
    there = max(1, len(found.hosts))
    told = f"Spark {session.version} on {where}, {len(found.answers)} of {there} executors answered"
    if asked is None or there >= asked:
        return Line("cluster", "session", told)
    return Line("cluster", "session", told, f"{asked} executors were asked for and {there} came in time: {why_none(session)}")


def _key(told: Facts) -> tuple[str, int]:
    """An executor, as the clocks know it."""
    return told["host"], told["daemon"]


def _names(answers: Sequence[Facts]) -> list[str]:
    """Hosts; with a number where a host has several executors."""
    hosts = [told["host"] for told in answers]
    return [host if hosts.count(host) == 1 else f"{host}#{hosts[:index].count(host) + 1}" for index, host in enumerate(hosts)]


def _unheard(found: Census) -> list[str]:
    """Hosts of executors that gave no answer."""
    left = list(found.hosts)
    for told in found.answers:
        known = next((host for host in left if host in told["addresses"]), None)
        if known is not None:
            left.remove(known)
    return left


def _table(lines: Sequence[Line]) -> str:
    rows = [(line.where, line.what, "ok" if line.fine else "WRONG", line.found + (f"\n→ {line.advice}" if line.advice else "")) for line in lines]
    safe = [tuple(text_table.escaped(cell, keep="\n") for cell in row) for row in rows]
    return text_table.table(("where", "what", "state", "found"), safe, (False,) * 4)


JOB = Job(
    "doctor",
    "look at the driver and every executor, and say what to do",
    arguments,
    configure,
    run,
    needs_spark=lambda config: False,
    takes_lease=lambda config: False,
    limit="",
)

if __name__ == "__main__":
    from jobs.cli import main

    main(["doctor", *sys.argv[1:]])
