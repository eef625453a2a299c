"""GPUs on a cluster of two workers with two fake GPUs each: every task uses the one Spark gave it, no two processes share one."""

import json
import sys

import pytest

from tests.cluster_real.nodes import ROOT, Cluster, address

pytestmark = pytest.mark.cluster

CONF = {
    "spark.driver.host": address("d"),
    "spark.driver.bindAddress": address("d"),
    "spark.executor.memory": "512m",
    "spark.executor.cores": "2",
    "spark.executor.resource.gpu.amount": "1",
    "spark.task.resource.gpu.amount": "1",
    "spark.task.cpus": "2",
}


@pytest.fixture(scope="module")
def stages(tmp_path_factory) -> list[dict]:
    """What the tasks of five stages, by turns on CPU and GPU, told."""
    hidden = {"CUDA_VISIBLE_DEVICES": "7"}
    with Cluster(tmp_path_factory.mktemp("gpus"), cores=4, gpus=2, name="tvg", worker_environment=hidden) as cluster:
        settings = CONF | {"spark.pyspark.python": cluster.python}
        words = [sys.executable, str(ROOT / "tests" / "cluster_real" / "gpu_probe.py"), cluster.master, *(f"{key}={value}" for key, value in settings.items())]
        done = cluster.run("d", words, env=hidden, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "DEVICE cuda" in done.stdout
    return [json.loads(line.removeprefix("STAGE ")) for line in done.stdout.splitlines() if line.startswith("STAGE ")]


def test_each_gpu_task_uses_the_address_that_spark_gave_it(stages):
    rows = [row for stage in stages if stage["device"] == "cuda" for row in stage["rows"]]
    assert {row["claimed"] for row in rows} == {"0", "1"}
    assert all(row["claimed"] == row["given"] for row in rows)


def test_cuda_counts_the_node_s_gpus_though_the_worker_was_started_with_another_one_visible(stages):
    """Its own variable is there in CPU stages, so it did arrive."""
    seen = {device: {row["visible"] for stage in stages if stage["device"] == device for row in stage["rows"]} for device in ("cuda", "cpu")}
    assert seen == {"cuda": {None}, "cpu": {"7"}}


def test_no_two_processes_ever_hold_one_gpu(stages):
    holders: dict[tuple[str, str], set[int]] = {}
    for stage in stages:
        for row in stage["rows"]:
            if stage["device"] == "cuda":
                holders.setdefault((row["host"], row["claimed"]), set()).add(row["pid"])
    assert len(holders) == 4
    assert all(len(pids) == 1 for pids in holders.values()), holders


def test_cpu_stages_use_every_core_and_hold_no_gpu(stages):
    for stage in stages:
        if stage["device"] == "cpu":
            assert stage["slots"] == 8
            assert all(row["claimed"] is None and row["given"] is None for row in stage["rows"])
            starts = sorted(row["began"] for row in stage["rows"])
            assert max(sum(row["began"] <= start < row["ended"] for row in stage["rows"]) for start in starts) == 8


def test_gpu_stages_run_one_task_per_gpu(stages):
    for stage in stages:
        if stage["device"] == "cuda":
            assert stage["slots"] == 4
            assert max(sum(row["began"] <= other["began"] < row["ended"] for row in stage["rows"]) for other in stage["rows"]) == 4
