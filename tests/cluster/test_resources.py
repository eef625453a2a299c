"""From nodes to executors: one GPU and one task each, every core used, memory for Python."""

import json
import math
import subprocess
import sys

import pytest

from cluster.resources import Node, layout, settings
from schemas.errors import UsageError

MANAGERS = ("standalone", "kubernetes", "yarn")


def conf(node: Node, manager: str = "standalone") -> dict[str, str]:
    return {setting.key: setting.value for setting in settings(node, manager)}


@pytest.mark.parametrize("manager", MANAGERS)
def test_one_gpu_per_executor_and_one_task_per_gpu_with_all_its_cores(manager):
    said = conf(Node(32, 256, 4), manager)
    assert said["spark.executor.cores"] == said["spark.task.cpus"] == "8"
    assert said["spark.executor.resource.gpu.amount"] == said["spark.task.resource.gpu.amount"] == "1"


def test_nodes_without_gpus_have_a_task_per_core_and_no_gpu_settings():
    said = conf(Node(32, 128))
    assert said["spark.task.cpus"] == "1"
    assert said["spark.executor.cores"] == "16"
    assert not any("gpu" in key for key in said)


@pytest.mark.parametrize("node", [Node(4, 16), Node(8, 64, 1), Node(32, 256, 4), Node(96, 768, 8), Node(64, 512)])
def test_what_executors_take_fits_the_node(node):
    plan = layout(node)
    assert plan.executors * plan.cores + plan.idle_cores == node.cores
    assert plan.idle_cores < plan.executors
    assert plan.executors * (plan.heap_gib + plan.python_gib) <= node.memory_gib - 1


def test_every_setting_has_its_reason():
    for manager in MANAGERS:
        assert all(len(setting.why) > 20 and "\n" not in setting.why for setting in settings(Node(16, 64, 2), manager))


def test_managers_get_what_they_need():
    kubernetes, yarn = conf(Node(8, 64, 1), "kubernetes"), conf(Node(8, 64, 1), "yarn")
    assert kubernetes["spark.executor.resource.gpu.vendor"] == "nvidia.com"
    assert kubernetes["spark.driver.memoryOverhead"] == yarn["spark.driver.memoryOverhead"] == "3g"
    assert "spark.executor.resource.gpu.vendor" not in yarn
    assert yarn["spark.executor.resource.gpu.discoveryScript"] == "./gpus.sh"
    assert yarn["spark.executorEnv.TALKVID_GPU_CLAIM"] == "1"
    assert kubernetes["spark.executor.memoryOverhead"] == f"{layout(Node(8, 64, 1)).python_gib}g"


@pytest.mark.parametrize(
    ("node", "word"),
    [
        (Node(2, 64, 4), "core"),
        (Node(8, 4, 2), "GiB"),
        (Node(0, 4), "core"),
        (Node(4, 0), "memory"),
        (Node(4, math.nan), "memory"),
        (Node(4, math.inf), "memory"),
    ],
)
def test_nodes_that_hold_no_executor_are_refused(node, word):
    with pytest.raises(UsageError, match=word):
        layout(node)


def test_the_verb_prints_lines_that_spark_reads_and_json_says_the_same(tmp_path):
    words = [sys.executable, "-m", "jobs.cli", "cluster-conf", "--cores-per-node", "16", "--memory-per-node", "64", "--gpus-per-node", "2", "--manager", "yarn"]
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    read = dict(line.split(None, 1) for line in printed.splitlines() if line and not line.startswith("#") and line.startswith("spark."))
    said = json.loads(subprocess.run([*words, "--json"], capture_output=True, text=True, check=True).stdout)
    assert read == said["conf"] == conf(Node(16, 64, 2), "yarn")
    assert printed.splitlines()[-1].startswith("cluster-conf: in=1 settings=")
