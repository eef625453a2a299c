"""What breaks on a cluster costs time, never a row; what cannot work says so in one sentence."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster_real.lakes import rows
from tests.cluster_real.nodes import Cluster, address

pytestmark = pytest.mark.cluster


def started(cluster: Cluster, lake: Path, **conf: str) -> subprocess.Popen:
    """`talkvid score` on the driver node, not waited for."""
    words = cluster.talkvid_words("score", "--lake", str(lake), "--quiet", conf=conf)
    return cluster.popen("d", words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def await_work(cluster: Cluster, node: str, score: subprocess.Popen, timeout_s: float = 120) -> None:
    """Return when a node's Python workers are at it."""
    ends = time.monotonic() + timeout_s
    while not cluster.python_workers(node):
        assert score.poll() is None and time.monotonic() < ends, "no Python worker came"
        time.sleep(0.1)
    time.sleep(1.5)


def kill_executor(cluster: Cluster) -> None:
    os.kill(cluster.executor("w1")[0], signal.SIGKILL)


def kill_python_worker(cluster: Cluster) -> None:
    os.kill(cluster.python_workers("w1")[0], signal.SIGKILL)


def kill_node(cluster: Cluster) -> None:
    cluster.kill("w2")


def cut_network(cluster: Cluster) -> None:
    cluster.cut("w2")
    time.sleep(20)
    cluster.heal("w2")


@pytest.mark.parametrize("harm", [kill_executor, kill_python_worker, kill_node, cut_network])
def test_score_survives_and_its_rows_are_those_of_an_undisturbed_run(cluster, segmented, alone, tmp_path, harm: Callable[[Cluster], None]):
    lake = tmp_path / "lake"
    shutil.copytree(segmented, lake)
    node = "w2" if harm in (kill_node, cut_network) else "w1"
    with started(cluster, lake) as score:
        await_work(cluster, node, score)
        harm(cluster)
        out, err = score.communicate(timeout=300)
    assert score.returncode == 0, err[-3000:]
    assert "scored=6 failed=0" in out
    assert rows(lake, "scores") == rows(alone / "lake", "scores")
    if harm is kill_node:
        cluster.start("w2")
    cluster.await_workers(2)


def test_a_job_that_loses_every_node_ends_with_one_sentence_and_goes_on_when_they_are_back(cluster, segmented, alone, tmp_path):
    lake = tmp_path / "lake"
    shutil.copytree(segmented, lake)
    with started(cluster, lake, **{"spark.talkvid.executorWait": "40s"}) as score:
        await_work(cluster, "w1", score)
        for node in cluster.worker_nodes:
            cluster.kill(node)
        _, err = score.communicate(timeout=200)
    for node in cluster.worker_nodes:
        cluster.start(node)
    cluster.await_workers(2)
    assert score.returncode == 3, err[-3000:]
    last = err.strip().splitlines()[-1]
    assert last.startswith("talkvid score: all executors were lost and none came back within 40 s (spark.talkvid.executorWait): the master started none: ")
    assert last.endswith("run it again to go on") and "Traceback" not in err
    again = cluster.talkvid("score", "--lake", str(lake), "--quiet")
    assert again.returncode == 0, again.stderr[-3000:]
    assert rows(lake, "scores") == rows(alone / "lake", "scores")


def test_a_node_whose_python_is_broken_loses_its_tasks_to_the_others(segmented, alone, tmp_path):
    lake = tmp_path / "lake"
    shutil.copytree(segmented, lake)
    with Cluster(tmp_path / "sick", name="tvs", broken_python=frozenset({"w1"})) as cluster:
        done = cluster.talkvid("score", "--lake", str(lake), "--quiet")
    assert done.returncode == 0, done.stderr[-3000:]
    assert rows(lake, "scores") == rows(alone / "lake", "scores")


@pytest.mark.parametrize(
    ("conf", "reason"),
    [
        ({"spark.driver.host": "10.77.0.99"}, "executors cannot reach the driver at 10.77.0.99"),
        ({"spark.executor.cores": "64"}, "the master started none"),
    ],
    ids=["unreachable driver", "no node is large enough"],
)
def test_no_executor_in_time_is_one_sentence_and_exit_3(cluster, segmented, tmp_path, conf, reason):
    lake = tmp_path / "lake"
    shutil.copytree(segmented, lake)
    began = time.monotonic()
    done = cluster.talkvid("score", "--lake", str(lake), "--quiet", conf={"spark.talkvid.executorWait": "15s"} | conf)
    assert done.returncode == 3, done.stderr[-3000:]
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("talkvid score: no executor came within 15 s")
    assert reason in last
    assert "Traceback" not in done.stderr
    assert time.monotonic() - began < 90


def test_no_master_is_one_sentence_and_exit_3(cluster, segmented, tmp_path):
    lake = tmp_path / "lake"
    shutil.copytree(segmented, lake)
    words = [word.replace(cluster.master, f"spark://{address('d')}:7099") for word in cluster.talkvid_words("score", "--lake", str(lake), "--quiet")]
    done = cluster.run("d", words, timeout=200)
    assert done.returncode == 3, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
