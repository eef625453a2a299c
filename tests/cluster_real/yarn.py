"""A real YARN of one node on loopback: a ResourceManager, and a NodeManager with made-up GPUs in process and mount namespaces of its own.

The node sees no checkout, and the Python environment under another path. Its GPUs are a count without isolation, as on a cluster whose
NodeManagers have no GPU plugin. No HDFS: files go through folders that client and node share. Needs root, `unshare`, Java, and once Maven.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster_real.nodes import ROOT
from tests.cluster_real.yarn_settings import write_settings

VERSION = "3.5.0"
"""Of the Hadoop client in pyspark."""
CACHE = Path.home() / ".cache" / "talkvid" / f"yarn-{VERSION}"
PARTS = ("hadoop-common", *(f"hadoop-yarn-{part}" for part in ("server-resourcemanager", "server-nodemanager", "server-timelineservice", "client")))
"""Without the timeline service the ResourceManager does not find its classes."""


def jars() -> Path:
    """Folder of Hadoop's jars, fetched by Maven when they are not here. Skips the test that asks when YARN cannot be had."""
    missing = [program for program in ("java", "unshare", "mount", *(() if CACHE.exists() else ("mvn",))) if shutil.which(program) is None]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"no YARN here: needs {', '.join(missing) or 'root'}")
    if CACHE.exists():
        return CACHE
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE.parent) as folder:
        needs = "".join(
            f"<dependency><groupId>org.apache.hadoop</groupId><artifactId>{part}</artifactId><version>{VERSION}</version></dependency>" for part in PARTS
        )
        us = "<modelVersion>4.0.0</modelVersion><groupId>talkvid</groupId><artifactId>yarn</artifactId><version>1</version>"
        Path(folder, "pom.xml").write_text(f"<project>{us}<dependencies>{needs}</dependencies></project>")
        words = ["mvn", "-B", "-q", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=jars"]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=900)
        if done.returncode != 0:
            reasons = [line for line in done.stdout.splitlines() if "ERROR" in line]
            pytest.skip(f"no YARN here: Maven could not fetch Hadoop's jars: {reasons[:1]}")
        Path(folder, "jars").rename(CACHE)
    return CACHE


@dataclass(frozen=True)
class Yarn:
    """A running YARN in `folder`, with the address of its ResourceManager's pages."""

    folder: Path
    pages: str

    @property
    def conf(self) -> Path:
        """For HADOOP_CONF_DIR."""
        return self.folder / "conf"

    @property
    def environment(self) -> Path:
        """Where the node sees the Python environment."""
        return self.folder / "env"

    @property
    def python(self) -> str:
        """The node's Python, for spark.pyspark.python."""
        return str(self.environment / "bin" / "python")

    def ask(self, what: str) -> dict:
        """What the ResourceManager says of `nodes`, `apps`, …"""
        with urllib.request.urlopen(f"{self.pages}/ws/v1/cluster/{what}", timeout=5) as answer:
            return json.load(answer)

    def applications(self) -> list[dict]:
        """All of them, the first one first."""
        return sorted(self.ask("apps")["apps"]["app"], key=lambda application: application["id"])

    def driver_said(self, application: str) -> str:
        """What the driver of an application in cluster mode printed."""
        return "".join(file.read_text() for file in self.folder.glob(f"logs/{application}/*_000001/stdout"))


@contextmanager
def raised(folder: Path) -> Iterator[Yarn]:
    """YARN for as long as the block lasts; everything it needs and writes is in `folder`. Its end is the end of every container."""
    (folder / "env").mkdir()
    yarn = Yarn(folder, write_settings(folder))
    steps = f'mount --bind {sys.prefix} {yarn.environment}; mount -t tmpfs none {ROOT}; cd /; "$@"; exit $?'
    alone = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-ec", steps, "sh"]
    daemons = [_java(folder, "resourcemanager.ResourceManager", [])]
    try:
        daemons.append(_java(folder, "nodemanager.NodeManager", alone))
        _await_node(yarn, daemons)
        yield yarn
    finally:
        for daemon in reversed(daemons):
            daemon.send_signal(signal.SIGKILL)
            daemon.wait(timeout=30)


def _java(folder: Path, name: str, before: list[str]) -> subprocess.Popen:
    words = [*before, "java", "-Xmx384m", "--add-opens", "java.base/java.lang=ALL-UNNAMED", "-cp", f"{folder / 'conf'}:{jars()}/*"]
    with open(folder / f"{name.partition('.')[0]}.log", "wb") as log:
        return subprocess.Popen([*words, f"org.apache.hadoop.yarn.server.{name}"], cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)


def _await_node(yarn: Yarn, daemons: list[subprocess.Popen], limit_s: float = 120) -> None:
    ends = time.monotonic() + limit_s
    while time.monotonic() < ends and all(daemon.poll() is None for daemon in daemons):
        try:
            if yarn.ask("nodes?states=RUNNING")["nodes"]:
                return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.5)
    raise TimeoutError(f"no YARN node within {limit_s} s; see {yarn.folder}/*.log")
