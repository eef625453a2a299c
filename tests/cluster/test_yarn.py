"""The submit script for YARN: what spark-submit is given."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import cluster

SUBMIT = Path(cluster.__file__).parent / "yarn" / "submit.sh"


def test_submit_ships_the_zip_and_the_discovery_script_and_keeps_flags_whole(tmp_path):
    fake = tmp_path / "spark-submit"
    fake.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@"\nfor word; do case $word in */talkvid.zip) cp "$word" {tmp_path}/shipped.zip;; esac; done\n')
    fake.chmod(0o755)
    here = str(Path(sys.executable).parent)
    environment = os.environ | {"PATH": f"{here}:{os.environ['PATH']}", "SPARK_SUBMIT": str(fake), "HADOOP_CONF_DIR": str(tmp_path)}
    environment |= {"EXECUTOR_PYTHON": "/opt/python", "TALKVID_WEIGHTS": "/weights", "DEFAULTS": "yarn.conf", "CONF": "spark.a=1", "MODE": "cluster"}
    done = subprocess.run([SUBMIT, "cluster-conf", "--lake", "a lake"], env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    words = done.stdout.splitlines()
    assert words[:4] == ["--master", "yarn", "--deploy-mode", "cluster"]
    assert words[-3:] == ["cluster-conf", "--lake", "a lake"]
    for setting in ("spark.pyspark.python=/opt/python", "spark.executorEnv.TALKVID_WEIGHTS=/weights", "spark.a=1"):
        assert words[words.index(setting) - 1] == "--conf"
    assert words[words.index("--properties-file") + 1] == "yarn.conf"
    assert Path(words[words.index("--files") + 1]).resolve() == (SUBMIT.parents[1] / "gpus.sh").resolve()
    with zipfile.ZipFile(tmp_path / "shipped.zip") as archive:
        assert "jobs/cli.py" in archive.namelist()


def test_without_words_it_says_how_it_goes():
    told = subprocess.run([SUBMIT], capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert "submit.sh VERB" in told.stderr
