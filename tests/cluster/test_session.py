"""The session: what is missing is one sentence, what spark-submit was given stands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.session import spark_session

ROOT = Path(__file__).resolve().parents[2]


def python(code: str, **environment: str) -> subprocess.CompletedProcess:
    """Run code in a fresh process."""
    clean = {key: value for key, value in os.environ.items() if key not in ("JAVA_HOME", "SPARK_HOME")}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180, cwd=ROOT, env=clean | environment)


def test_missing_java_is_one_sentence_that_says_what_to_install(tmp_path):
    answer = python("from cluster.session import spark_session; spark_session()", PATH=str(tmp_path))
    assert "MissingError: Java is missing: install Java 17 or 21" in answer.stderr


def test_missing_jars_without_network_are_one_sentence(tmp_path):
    code = (
        "import cluster.session as session\n"
        "session.jars_installed = session.jars_in_cache = lambda: []\n"
        f"session.spark_session(conf={{'spark.jars.ivy': '{tmp_path}', 'spark.sql.extensions': '', "
        "'spark.jars.repositories': 'http://127.0.0.1:9/', 'spark.jars.packages': 'io.nowhere:nothing:0'})\n"
    )
    answer = python(code, HTTPS_PROXY="http://127.0.0.1:9", HTTP_PROXY="http://127.0.0.1:9")
    assert "MissingError: Spark did not start" in answer.stderr


@pytest.mark.parametrize("setting", ["spark.executor.heartbeatInterval", "spark.sql.shuffle.partitions"], ids=["at its start", "when it is first used"])
def test_a_setting_that_spark_refuses_is_a_mistake_in_the_call(setting):
    answer = python(f"from cluster.session import spark_session; spark_session('local[1]', {{'{setting}': 'abc'}})")
    assert f"UsageError: Spark refuses a setting: The value 'abc' in the config \"{setting}\" is invalid" in answer.stderr


def test_a_fault_of_this_program_is_not_taken_for_a_spark_that_does_not_start(monkeypatch):
    def faulty(builder):
        raise TypeError("a fault")

    monkeypatch.setattr("pyspark.sql.SparkSession.Builder.getOrCreate", faulty)
    with pytest.raises(TypeError, match="a fault"):
        spark_session("local[1]")


def test_local_session_has_delta_small_partitions_and_four_attempts(spark):
    assert spark.sparkContext.master == "local[2,4]"
    assert spark.conf.get("spark.sql.shuffle.partitions") == "4"
    assert "Delta" in spark.conf.get("spark.sql.extensions")
    assert spark.conf.get("spark.ui.enabled") == "false"


def test_spark_submit_is_not_overridden(tmp_path):
    script = tmp_path / "job.py"
    script.write_text(
        "from cluster.session import spark_session\n"
        "s = spark_session()\n"
        "print('GOT', s.sparkContext.master, s.conf.get('spark.sql.shuffle.partitions'), s.sparkContext.appName)\n"
        "s.createDataFrame([(1,)], 'a int').write.format('delta').save('{}')\n"
        "print('ROWS', s.read.format('delta').load('{}').count())\n".format(tmp_path / "t", tmp_path / "t")
    )
    words = ["--master", "local[1]", "--conf", "spark.sql.shuffle.partitions=7", "--name", "mine", str(script)]
    submit = Path(sys.executable).with_name("spark-submit")
    answer = subprocess.run([str(submit), *words], capture_output=True, text=True, timeout=300, env=os.environ | {"PYSPARK_PYTHON": sys.executable})
    assert "GOT local[1] 7 mine" in answer.stdout, answer.stderr[-2000:]
    assert "ROWS 1" in answer.stdout


def test_a_master_that_is_not_there_is_one_sentence_at_once():
    answer = python("from cluster.session import spark_session; spark_session('spark://127.0.0.1:9')")
    assert "MissingError: no master answers at spark://127.0.0.1:9" in answer.stderr
