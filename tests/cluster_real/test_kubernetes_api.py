"""The Kubernetes files on a real API server: it takes them, and what spark-submit makes there is what they say."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster_real.kubernetes_api import Api, program, raised
from tests.cluster_real.nodes import ROOT

pytestmark = pytest.mark.cluster
FOLDER = ROOT / "cluster" / "kubernetes"
SUBMIT = str(Path(sys.executable).with_name("spark-submit"))
GPU = ["spark.executor.cores=2", "spark.executor.memory=1g", "spark.executor.memoryOverhead=2g", "spark.executor.instances=2", "spark.task.cpus=2"]
GPU += ["spark.executor.resource.gpu.amount=1", "spark.task.resource.gpu.amount=1", "spark.executor.resource.gpu.vendor=nvidia.com"]
GPU += ["spark.executor.resource.gpu.discoveryScript=/opt/talkvid/cluster/gpus.sh"]


@pytest.fixture(scope="module")
def api(tmp_path_factory) -> Iterator[Api]:
    binary = program()
    if binary is None or shutil.which("kubectl") is None:
        pytest.skip("no Kubernetes API server: Go (to build one) or kubectl is missing")
    with raised(binary, tmp_path_factory.mktemp("kubernetes")) as server:
        server.kubectl("create", "namespace", "talkvid")
        server.kubectl("apply", "-n", "talkvid", "-f", str(FOLDER / "access.yaml"))
        yield server


@pytest.mark.parametrize("file", ["driver.yaml", "executor.yaml"])
def test_the_server_takes_the_pod_templates_and_refuses_a_misspelt_one(api, file):
    text = (
        (FOLDER / file)
        .read_text()
        .replace("metadata:\n", "metadata:\n  name: part\n")
        .replace("- name: spark-kubernetes", "- image: talkvid:cuda\n      name: spark-kubernetes")
    )
    text = text.replace("spec:\n", "spec:\n  serviceAccountName: talkvid\n")
    words = ("apply", "-n", "talkvid", "--dry-run=server", "--validate=strict", "-f", "-")
    taken = api.kubectl(*words, given=text, check=False)
    assert "created (server dry run)" in taken.stdout, taken.stderr
    wrong = api.kubectl(*words, given=text.replace("runAsNonRoot", "runAsNonroot"), check=False)
    assert wrong.returncode != 0
    assert "runAsNonroot" in wrong.stderr


MAY = [("create", "pods", True), ("deletecollection", "pods", True), ("watch", "pods", True), ("create", "configmaps", True)]
MAY += [("get", "secrets", False), ("create", "roles", False)]


@pytest.mark.parametrize(("verb", "what", "allowed"), MAY)
def test_the_account_may_make_executors_and_no_more(api, verb, what, allowed):
    answer = api.kubectl("auth", "can-i", verb, what, "-n", "talkvid", "--as=system:serviceaccount:talkvid:talkvid", check=False)
    assert answer.stdout.strip() == ("yes" if allowed else "no")


def test_submit_makes_a_driver_pod_as_the_template_says(api):
    environment = os.environ | {
        "API": api.address,
        "IMAGE": "talkvid:cuda",
        "KUBECONFIG": str(api.config),
        "SPARK_SUBMIT": SUBMIT,
        "WAIT": "false",
        "CONF": " ".join(GPU),
    }
    done = subprocess.run(
        [FOLDER / "submit.sh", "score", "--lake", "s3a://bucket/my lake"], env=environment, capture_output=True, text=True, check=False, timeout=180
    )
    assert done.returncode == 0, done.stderr[-2000:]
    pod = api.objects("pods", "talkvid", "spark-role=driver")[0]["spec"]
    assert pod["serviceAccountName"] == "talkvid"
    assert pod["securityContext"]["runAsNonRoot"] is True
    container = next(container for container in pod["containers"] if container["name"] == "spark-kubernetes-driver")
    assert container["args"][-3:] == ["local:///opt/talkvid/jobs/score.py", "--lake", "s3a://bucket/my lake"]
    assert container["image"] == "talkvid:cuda"
    assert {"name": "scratch", "mountPath": "/scratch"} in container["volumeMounts"]


def test_a_driver_with_the_account_s_token_makes_executor_pods_with_a_gpu_each(api, tmp_path):
    token = api.kubectl("create", "token", "talkvid", "-n", "talkvid").stdout.strip()
    script = tmp_path / "waits.py"
    script.write_text("import time\nfrom pyspark.sql import SparkSession\nSparkSession.builder.getOrCreate()\ntime.sleep(120)\n")
    settings = [*GPU, "spark.kubernetes.namespace=talkvid", "spark.kubernetes.container.image=talkvid:cuda", "spark.driver.host=127.0.0.1"]
    settings += [
        "spark.driver.bindAddress=127.0.0.1",
        f"spark.kubernetes.authenticate.oauthToken={token}",
        f"spark.kubernetes.executor.podTemplateFile={FOLDER}/executor.yaml",
    ]
    settings += [f"spark.kubernetes.authenticate.caCertFile={api.certificate}", "spark.kubernetes.authenticate.driver.serviceAccountName=talkvid"]
    words = [SUBMIT, "--master", f"k8s://{api.address}", *(word for setting in settings for word in ("--conf", setting)), str(script)]
    environment = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"} | {"PYSPARK_PYTHON": sys.executable}
    with open(tmp_path / "log", "wb") as log, subprocess.Popen(words, env=environment, stdout=log, stderr=log) as driver:
        try:
            pods: list[dict] = []
            ends = time.monotonic() + 90
            while len(pods) < 2 and time.monotonic() < ends:
                pods = api.objects("pods", "talkvid", "spark-role=executor")
                time.sleep(1)
        finally:
            driver.kill()
    assert len(pods) == 2, (tmp_path / "log").read_text()[-3000:]
    for pod in pods:
        spec = pod["spec"]
        container = next(container for container in spec["containers"] if container["name"] == "spark-kubernetes-executor")
        assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
        assert container["args"] == ["executor"]
        assert spec["securityContext"]["runAsUser"] == 10001
        assert {"name": "shared-memory", "mountPath": "/dev/shm"} in container["volumeMounts"]
        said = {variable["name"] for variable in container["env"]}
        wanted = {
            "SPARK_DRIVER_URL",
            "SPARK_EXECUTOR_CORES",
            "SPARK_EXECUTOR_MEMORY",
            "SPARK_APPLICATION_ID",
            "SPARK_EXECUTOR_ID",
            "SPARK_RESOURCE_PROFILE_ID",
            "SPARK_EXECUTOR_POD_IP",
            "SPARK_EXECUTOR_POD_NAME",
        }
        assert wanted <= said
