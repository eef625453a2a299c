"""The discovery script: all GPUs, or one that nobody else of the node has."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cluster

SCRIPT = Path(cluster.__file__).parent / "gpus.sh"
HOLDER = "import subprocess, sys; print(subprocess.run(['{script}'], capture_output=True, text=True).stdout.strip(), flush=True); sys.stdin.read()"


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    """A machine of two GPUs."""
    fake = tmp_path / "nvidia-smi"
    fake.write_text("#!/bin/sh\nprintf '0\\n1\\n'\n")
    fake.chmod(0o755)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TALKVID_GPU_CLAIMS": str(tmp_path / "claims")}


def executor(environment: dict[str, str]) -> subprocess.Popen:
    """A process that runs the script as an executor does, and lives on."""
    words = [sys.executable, "-c", HOLDER.format(script=SCRIPT)]
    return subprocess.Popen(words, env=environment | {"TALKVID_GPU_CLAIM": "1"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def addresses(line: str) -> list[str]:
    found = json.loads(line)
    assert found["name"] == "gpu"
    return found["addresses"]


def test_lists_all_gpus_in_the_form_that_spark_reads(environment):
    listed = subprocess.run([SCRIPT], env=environment, capture_output=True, text=True, check=True)
    assert addresses(listed.stdout) == ["0", "1"]


def test_two_executors_of_a_node_claim_different_gpus_and_a_third_is_told_no(environment):
    with executor(environment) as first, executor(environment) as second:
        taken = [addresses(holder.stdout.readline()) for holder in (first, second)]
        assert sorted(taken) == [["0"], ["1"]]
        third = subprocess.run([SCRIPT], env=environment | {"TALKVID_GPU_CLAIM": "1"}, capture_output=True, text=True, check=False)
        assert third.returncode == 1
        assert "every GPU of this node is claimed" in third.stderr
        first.kill()
        first.wait()
        with executor(environment) as next_one:
            assert addresses(next_one.stdout.readline()) == taken[0]
            next_one.stdin.close()
        second.stdin.close()


def test_an_executor_that_asks_twice_keeps_its_gpu(environment):
    claiming = environment | {"TALKVID_GPU_CLAIM": "1"}
    answers = [subprocess.run([SCRIPT], env=claiming, capture_output=True, text=True, check=True).stdout for _ in range(2)]
    assert addresses(answers[0]) == addresses(answers[1])


def test_no_driver_is_said_and_fails(tmp_path):
    broken = tmp_path / "nvidia-smi"
    broken.write_text("#!/bin/sh\nexit 9\n")
    broken.chmod(0o755)
    answer = subprocess.run([SCRIPT], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert "nvidia-smi" in answer.stderr
