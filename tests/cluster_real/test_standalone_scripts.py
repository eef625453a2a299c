"""The start scripts in the background, on loopback: a cluster that computes, and that stop.sh ends."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cluster_real.nodes import ROOT
from tests.cluster_real.ports import free_ports

pytestmark = pytest.mark.cluster
SCRIPTS = ROOT / "cluster" / "standalone"


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_master_and_worker_start_compute_and_stop(tmp_path):
    port, master_ui, worker_ui = free_ports(3)
    environment = os.environ | {"TALKVID_PYTHON": sys.executable, "TALKVID_RUN": str(tmp_path), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "256m"}

    def script(*words: str) -> str:
        return subprocess.run([SCRIPTS / words[0], *words[1:]], env=environment, check=True, capture_output=True, text=True, timeout=60).stdout

    master = f"spark://127.0.0.1:{port}"
    try:
        assert str(tmp_path / "master.log") in script("start-master.sh", "--host", "127.0.0.1", "--port", str(port), "--webui-port", str(master_ui))
        script("start-worker.sh", master, "--host", "127.0.0.1", "--cores", "2", "--memory", "2g", "--webui-port", str(worker_ui))
        pids = [int((tmp_path / f"{name}.pid").read_text()) for name in ("master", "worker")]
        ends = time.monotonic() + 60
        while "started as" not in (tmp_path / "master.log").read_text() and "Started daemon" not in (tmp_path / "master.log").read_text():
            assert time.monotonic() < ends
            time.sleep(0.5)
        time.sleep(2)
        lake = str(tmp_path / "lake")
        settings = ["--conf", "spark.driver.host=127.0.0.1", "--conf", "spark.driver.bindAddress=127.0.0.1", "--conf", "spark.executor.memory=600m"]
        words = [sys.executable, "-m", "jobs.cli", "doctor", "--master", master, *settings, "--lake", lake]
        done = subprocess.run(words, env=environment, cwd="/", capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 0, done.stdout + done.stderr[-2000:]
        assert "1 of 1 executors answered" in done.stdout
        assert all(alive(pid) for pid in pids)
    finally:
        script("stop.sh")
    assert not any(alive(pid) for pid in pids)
    assert not list(tmp_path.glob("*.pid"))


def test_wrong_words_are_told_how_it_goes():
    told = subprocess.run([SCRIPTS / "start-worker.sh", "--cores", "2"], capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert "start-worker.sh spark://MASTER:7077" in told.stderr
