"""cluster/yarn/submit.sh and what `cluster-conf --manager yarn` prints, on a real YARN whose node has no checkout and two made-up GPUs."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster_real import yarn
from tests.cluster_real.lakes import rows, talkvid_alone
from tests.cluster_real.nodes import ROOT
from tests.cluster_real.yarn_settings import GPUS

pytestmark = pytest.mark.cluster
NODE = ("--cores-per-node", "4", "--memory-per-node", "10", "--gpus-per-node", str(GPUS))
SEGMENT = ("segment", "--detector", "content", "--no-speech", "--quiet")
TABLES = ("videos", "clips", "segmentations", "failures")


class Client:
    """Whoever submits to a YARN, from a folder that is not the checkout."""

    def __init__(self, cluster: yarn.Yarn, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        words = [sys.executable, "-m", "jobs.cli", "cluster-conf", "--manager", "yarn", *NODE]
        self.printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        (folder / "yarn.conf").write_text(self.printed)
        self.settings = {
            "spark.yarn.jars": f"local:{_spark_of(cluster)}/jars/*",
            "spark.yarn.stagingDir": f"file://{folder}/staging",
            "spark.executorEnv.TALKVID_GPU_CLAIMS": str(folder / "claims"),
        }
        dropped = ("SPARK_", "PYSPARK_", "TALKVID_")
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(dropped)} | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "SPARK_LOCAL_IP": "127.0.0.1",
            "HADOOP_CONF_DIR": str(cluster.conf),
        }

    def submit(self, *words: str, mode: str = "client") -> subprocess.CompletedProcess:
        """`submit.sh VERB …` to its end."""
        own = {"EXECUTOR_PYTHON": self.cluster.python, "DEFAULTS": "yarn.conf", "MODE": mode, "CONF": " ".join(f"{k}={v}" for k, v in self.settings.items())}
        return self._run([str(ROOT / "cluster" / "yarn" / "submit.sh"), *words], own)

    def probe(self) -> subprocess.CompletedProcess:
        """gpu_probe.py without spark-submit, as `talkvid VERB --master yarn` goes."""
        lines = [line.split(None, 1) for line in self.printed.splitlines() if line.startswith("spark.")]
        settings = self.settings | dict(lines) | {"spark.pyspark.python": self.cluster.python, "spark.files": str(ROOT / "cluster" / "gpus.sh")}
        words = [sys.executable, str(ROOT / "tests" / "cluster_real" / "gpu_probe.py"), "yarn", *(f"{key}={value}" for key, value in settings.items())]
        return self._run(words, {})

    def _run(self, words: list[str], own: dict[str, str]) -> subprocess.CompletedProcess:
        return subprocess.run(words, env=self.environment | own, cwd=self.folder, capture_output=True, text=True, check=False, timeout=500)


def _spark_of(cluster: yarn.Yarn) -> Path:
    import pyspark

    return cluster.environment / Path(pyspark.__file__).parent.relative_to(sys.prefix)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a YARN of this module's own."""
    with yarn.raised(tmp_path_factory.mktemp("yarn")) as cluster:
        yield Client(cluster, tmp_path_factory.mktemp("client"))


def test_verbs_on_yarn_give_the_rows_of_one_machine_with_the_driver_here_or_there(client, footage, tmp_path):
    lake, alone = str(tmp_path / "lake"), str(tmp_path / "alone")
    talkvid_alone("ingest", str(footage), "--lake", alone)
    talkvid_alone(*SEGMENT, "--lake", alone)
    ingested = client.submit("ingest", str(footage), "--quiet", "--lake", lake)
    assert ingested.returncode == 0, ingested.stderr[-3000:]
    assert "ingest: in=4 found=4 registered=3 duplicate=0 removed=0 failed=1" in ingested.stdout
    for said in ("segment: in=3 videos=3 with_clips=3", "segment: no video is pending"):
        done = client.submit(*SEGMENT, "--lake", lake, mode="cluster")
        assert done.returncode == 0, done.stderr[-3000:]
        last = client.cluster.applications()[-1]
        assert (last["name"], last["finalStatus"]) == ("talkvid-segment", "SUCCEEDED")
        assert said in client.cluster.driver_said(last["id"])
    for table in TABLES:
        expected = rows(Path(alone), table)
        assert expected
        assert rows(Path(lake), table) == expected


def test_the_doctor_finds_both_executors_and_each_its_own_gpu(client):
    done = client.submit("doctor", "--json", "--lake", str(client.folder / "lake"), mode="cluster")
    said = client.cluster.driver_said(client.cluster.applications()[-1]["id"])
    assert done.returncode == 0, said
    lines = json.loads(next(line for line in said.splitlines() if line.startswith("{")))["lines"]
    assert not [line for line in lines if line["advice"]]
    assert "2 of 2 executors answered" in next(line["found"] for line in lines if line["what"] == "session")
    assert sorted(line["found"] for line in lines if line["what"] == "gpu") == ["GPU 0 with 81559 MiB", "GPU 1 with 81559 MiB"]


def test_two_executors_of_a_node_never_take_the_same_gpu(client):
    done = client.probe()
    assert done.returncode == 0, done.stderr[-3000:]
    stages = [json.loads(line.removeprefix("STAGE ")) for line in done.stdout.splitlines() if line.startswith("STAGE ")]
    assert [stage["slots"] for stage in stages if stage["device"] == "cpu"] == [4, 4]
    assert not [row for stage in stages if stage["device"] == "cpu" for row in stage["rows"] if row["given"] or row["claimed"]]
    holders: dict[str, set[int]] = {}
    for row in (row for stage in stages if stage["device"] == "cuda" for row in stage["rows"]):
        assert row["claimed"] == row["given"]
        holders.setdefault(row["given"], set()).add(row["pid"])
    assert sorted(holders) == ["0", "1"]
    assert all(len(pids) == 1 for pids in holders.values()), holders


def test_a_verb_s_failure_is_submit_s_exit_status(client, tmp_path):
    done = client.submit(*SEGMENT, "--lake", str(tmp_path / "nowhere"))
    assert done.returncode == 3
    assert "talkvid segment: there is no lake at" in done.stdout
