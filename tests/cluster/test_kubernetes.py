"""Kubernetes files: each is of its kind's schema, and the scripts start what Spark and Kubernetes expect."""

import copy
import os
import re
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

import cluster
from cluster.resources import Node, settings
from tests.cluster.spark_application import unknown_fields

FOLDER = Path(cluster.__file__).parent / "kubernetes"
CORE = [
    (file.name, document)
    for file in sorted(FOLDER.glob("*.yaml"))
    for document in yaml.safe_load_all(file.read_text())
    if "sparkoperator" not in document["apiVersion"]
]
APPLICATION = yaml.safe_load((FOLDER / "application.yaml").read_text())
VERSIONS = ("1.31", "1.34")
WEIGHTS = ("spark.kubernetes.driverEnv.TALKVID_WEIGHTS=s3a://b/w", "spark.executorEnv.TALKVID_WEIGHTS=s3a://b/w")
UNPRIVILEGED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def complaints(document: dict, version: str = VERSIONS[-1]) -> str:
    """What the strict schema has against it."""
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("name", "document"), CORE, ids=[f"{name}-{document['kind']}" for name, document in CORE])
def test_each_object_is_of_its_schema(name, document, version):
    assert complaints(document, version) == ""


def test_a_misspelt_field_fails_the_schema():
    pod = copy.deepcopy(next(document for _, document in CORE if document["kind"] == "Pod"))
    pod["spec"]["restartPolcy"] = "Never"
    assert "restartPolcy" in complaints(pod)


def test_pods_run_without_root_and_drop_all_capabilities():
    for _, pod in CORE:
        if pod["kind"] == "Pod":
            assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
            assert pod["spec"]["securityContext"]["runAsUser"] > 0
            assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            assert pod["spec"]["containers"][0]["securityContext"] == UNPRIVILEGED
    for part in ("driver", "executor"):
        said = APPLICATION["spec"][part]
        assert (said["podSecurityContext"]["runAsNonRoot"], said["podSecurityContext"]["seccompProfile"]) == (True, {"type": "RuntimeDefault"})
        assert said["securityContext"] == UNPRIVILEGED


def test_no_template_decides_where_weights_lie():
    for name, pod in CORE:
        if pod["kind"] == "Pod":
            container = pod["spec"]["containers"][0]
            assert "TALKVID_WEIGHTS" not in {variable["name"] for variable in container["env"]}, name
            assert all("secretRef" in source for source in container["envFrom"])
    assert "TALKVID_WEIGHTS" not in (FOLDER / "Dockerfile").read_text()


def test_the_role_is_bound_to_the_account_that_submit_and_application_name():
    kinds = {document["kind"]: document for _, document in CORE if document["kind"] != "Pod"}
    account = kinds["ServiceAccount"]["metadata"]["name"]
    assert kinds["RoleBinding"]["subjects"] == [{"kind": "ServiceAccount", "name": account}]
    assert kinds["RoleBinding"]["roleRef"]["name"] == kinds["Role"]["metadata"]["name"]
    assert APPLICATION["spec"]["driver"]["serviceAccount"] == account
    assert f"serviceAccountName={account}" in (FOLDER / "submit.sh").read_text()


def test_spark_application_has_known_fields_only():
    assert unknown_fields(APPLICATION) == []


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("spec",), "mainAplicationFile"),
        (("spec", "restartPolicy"), "onFailureRetry"),
        (("spec", "executor", "gpu"), "quantty"),
        (("spec", "driver"), "serviceAcount"),
        (("spec", "driver", "podSecurityContext"), "runAsNonroot"),
        (("spec", "volumes", 0), "emptyDirectory"),
        (("spec", "executor", "envFrom", 0), "secretReference"),
        (("metadata",), "nam"),
    ],
)
def test_a_misspelt_field_of_a_spark_application_is_found(path, wrong):
    application = copy.deepcopy(APPLICATION)
    place = application
    for step in path:
        place = place[step]
    place[wrong] = "x"
    found = unknown_fields(application)
    assert len(found) == 1
    assert wrong in found[0]


def test_spark_application_asks_for_the_gpu_as_cluster_conf_says():
    conf = APPLICATION["spec"]["sparkConf"]
    said = {setting.key: setting.value for setting in settings(Node(8, 32, 1), "kubernetes")}
    for key in (
        "spark.executor.resource.gpu.amount",
        "spark.task.resource.gpu.amount",
        "spark.executor.resource.gpu.vendor",
        "spark.executor.resource.gpu.discoveryScript",
    ):
        assert conf[key] == said[key]
    driver = APPLICATION["spec"]["driver"]
    assert (driver["memory"], driver["memoryOverhead"]) == (said["spark.driver.memory"], said["spark.driver.memoryOverhead"])
    assert all(isinstance(value, str) for value in conf.values())


def fake(folder: Path, name: str) -> Path:
    """A program that prints its words, one a line."""
    program = folder / name
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    return program


def test_submit_hands_spark_the_verb_its_flags_and_all_settings(tmp_path):
    environment = os.environ | {"SPARK_SUBMIT": str(fake(tmp_path, "spark-submit")), "API": "https://10.0.0.1:6443", "IMAGE": "talkvid:cuda"}
    environment |= {"DEFAULTS": "conf file", "INSTANCES": "4", "CONF": "spark.a=1 spark.b=2", "TALKVID_WEIGHTS": "s3a://b/w"}
    done = subprocess.run([FOLDER / "submit.sh", "score", "--lake", "s3a://b/my lake"], env=environment, capture_output=True, text=True, check=True)
    words = done.stdout.splitlines()
    assert words[-3:] == ["local:///opt/talkvid/jobs/score.py", "--lake", "s3a://b/my lake"]
    assert words[:4] == ["--master", "k8s://https://10.0.0.1:6443", "--deploy-mode", "cluster"]
    for setting in ("spark.kubernetes.container.image=talkvid:cuda", "spark.executor.instances=4", "spark.a=1", "spark.b=2", *WEIGHTS):
        assert words[words.index(setting) - 1] == "--conf"
    assert words[words.index("--properties-file") + 1] == "conf file"
    for template in (word.partition("=")[2] for word in words if "podTemplateFile" in word):
        assert Path(template).is_file()


def test_entry_point_starts_an_executor_with_every_option_that_spark_wants(tmp_path):
    fake(tmp_path, "java")
    said = {
        "SPARK_HOME": "/spark",
        "SPARK_DRIVER_URL": "spark://CoarseGrainedScheduler@d:7078",
        "SPARK_EXECUTOR_ID": "3",
        "SPARK_EXECUTOR_CORES": "8",
        "SPARK_EXECUTOR_MEMORY": "4g",
        "SPARK_APPLICATION_ID": "spark-1",
        "SPARK_EXECUTOR_POD_IP": "10.1.2.3",
        "SPARK_EXECUTOR_POD_NAME": "talkvid-exec-3",
        "SPARK_RESOURCE_PROFILE_ID": "0",
        "SPARK_CONF_DIR": "/opt/spark/conf",
        **{f"SPARK_JAVA_OPT_{i}": f"-Doption{i}=a b" for i in range(11)},
    }
    done = subprocess.run(
        ["bash", FOLDER / "entrypoint.sh", "executor"], env={"PATH": f"{tmp_path}:/usr/bin:/bin"} | said, capture_output=True, text=True, check=True
    )
    words = done.stdout.splitlines()
    words = words[words.index("-Doption0=a b") :]
    assert words[:11] == [f"-Doption{i}=a b" for i in range(11)]
    assert words[words.index("-cp") + 1] == "/opt/spark/conf:/spark/jars/*"
    options = dict(zip(words[words.index("--driver-url") :: 2], words[words.index("--driver-url") + 1 :: 2]))
    assert options["--hostname"] == "10.1.2.3"
    assert options["--podName"] == "talkvid-exec-3"
    assert set(options) == {"--driver-url", "--executor-id", "--cores", "--app-id", "--hostname", "--resourceProfileId", "--podName"}


def test_those_options_are_the_ones_that_this_spark_lists():
    import pyspark

    jars = Path(pyspark.__file__).parent / "jars"
    java = ["java", "-cp", f"{jars}/*", "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend", "--no-such-option"]
    usage = subprocess.run(java, capture_output=True, text=True, check=False, timeout=120)
    listed = set(re.findall(r"--[a-zA-Z-]+", usage.stdout + usage.stderr))
    assert set(re.findall(r"(--(?!conf|deploy)[a-zA-Z-]+) \"\$", (FOLDER / "entrypoint.sh").read_text())) <= listed


def test_the_builder_is_sent_what_the_image_copies_and_no_more():
    ignored = (FOLDER.parents[1] / ".dockerignore").read_text().splitlines()
    copied = {line.split()[1] for line in (FOLDER / "Dockerfile").read_text().splitlines() if line.startswith("COPY")}
    assert "*" in ignored
    assert {line[1:] for line in ignored if line.startswith("!")} == {path.partition("/")[0] for path in copied}


def test_image_has_two_targets_on_a_slim_base_that_run_without_root():
    stages: dict[str, list[str]] = {}
    for line in (FOLDER / "Dockerfile").read_text().splitlines():
        start = re.match(r"FROM (\S+) AS (\S+)", line)
        if start:
            stages[start[2]] = [start[1]]
        elif stages:
            next(reversed(stages.values())).append(line)
    assert "slim" in stages["base"][0]
    for target in ("cpu", "cuda"):
        assert "USER 10001:10001" in stages[target]
        assert any("cluster.jars --s3a" in line for line in stages[target])
        copied = {line.split()[1] for line in stages[target] if line.startswith("COPY")}
        assert {"cluster", "inference", "jobs", "schemas", "training", "udfs"} <= copied
