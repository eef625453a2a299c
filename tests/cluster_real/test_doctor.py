"""The doctor sees every executor, and says of each thing that is wrong what to do."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.cluster_real.nodes import Cluster
from udfs.lake_probe import UNSHARED_FOLDER

pytestmark = pytest.mark.cluster


def lines(done: subprocess.CompletedProcess) -> dict[tuple[str, str], dict]:
    return {(line["where"], line["what"]): line for line in json.loads(done.stdout)["lines"]}


def test_a_healthy_cluster_has_only_good_lines(cluster, tmp_path):
    done = cluster.talkvid("doctor", "--json", "--lake", str(tmp_path / "lake"))
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    found = lines(done)
    for node in cluster.worker_nodes:
        for what in ("python", "packages", "java", "delta", "weights", "gpu", "clock", "ffmpeg", "scratch", "lake"):
            assert found[f"{cluster.name}-{node}", what]["advice"] == ""
    assert not [line for line in found.values() if line["advice"]]
    assert not (tmp_path / "lake").exists()


def test_each_lack_is_a_line_with_what_to_do(tmp_path):
    environment = {"TALKVID_SCRATCH": "/proc/nowhere"}
    with Cluster(tmp_path / "sick", name="tvx", broken_python=frozenset({"w1"}), worker_environment=environment) as cluster:
        done = cluster.talkvid("doctor", "--json", "--lake", "/proc/lake")
    assert done.returncode == 3, done.stdout + done.stderr[-2000:]
    found = lines(done)
    silent = next(line for (_, what), line in found.items() if what == "python" and line["found"] == "no answer")
    assert "spark.pyspark.python" in silent["advice"]
    assert "TALKVID_SCRATCH" in found["tvx-w2", "scratch"]["advice"]
    assert "s3a://" in found["tvx-w2", "lake"]["advice"]
    assert found["tvx-w2", "packages"]["advice"] == ""
    assert done.stderr.strip().splitlines()[-1].startswith("talkvid doctor: ")


def test_a_lake_in_a_folder_that_no_node_shares_is_wrong_on_every_node_and_made_on_none(tmp_path):
    lake = tmp_path / "lake"
    with Cluster(tmp_path / "apart", name="tvu", apart=True) as cluster:
        done = cluster.talkvid("doctor", "--json", "--lake", str(lake))
        seen = {node: {Path(f"/proc/{pid}/root{lake}").exists() for pid in cluster.pids(node, "deploy.worker.Worker")} for node in cluster.worker_nodes}
    assert done.returncode == 3, done.stdout + done.stderr[-2000:]
    found = lines(done)
    assert found["driver", "lake"]["advice"] == ""
    for node in cluster.worker_nodes:
        line = found[f"{cluster.name}-{node}", "lake"]
        assert line["found"] == UNSHARED_FOLDER
        assert "the folder is not shared" in line["advice"]
    assert seen == {"w1": {False}, "w2": {False}}
    assert not lake.exists()
