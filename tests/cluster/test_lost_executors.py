"""A job whose executors are all gone ends with one sentence."""

import subprocess
import sys
from pathlib import Path

from cluster.lost_executors import executors_lost

ROOT = Path(__file__).resolve().parents[2]
JOB = """
import time
from cluster.lost_executors import executors_lost, watch_executors
from cluster.session import spark_session

def asleep(batches):
    time.sleep(300)
    yield from batches

session = spark_session("local[2,4]", {"spark.talkvid.executorWait": "20s"})
session.range(5).count()  # a cold session's first job can take longer than the limit on a busy machine
watch_executors(session)
print("SHORT", session.range(5).count())
try:
    session.range(1).mapInPandas(asleep, "id long").toArrow()
except Exception as error:
    print("SAID", executors_lost(error))
"""


def test_a_job_without_executors_is_cancelled_with_a_sentence_that_says_what_to_do():
    """A local session has none, as a watched session of a cluster has when all its nodes are gone."""
    answer = subprocess.run([sys.executable, "-c", JOB], capture_output=True, text=True, timeout=240, cwd=ROOT)
    assert "SHORT 5" in answer.stdout, answer.stderr[-2000:]
    said = answer.stdout.partition("SAID ")[2].strip()
    assert said.startswith("all executors were lost and none came back within 20 s (spark.talkvid.executorWait): ")
    assert said.endswith("what was committed stays, run it again to go on")
    assert "\n" not in said and "Traceback" not in answer.stderr


def test_other_failures_are_left_alone():
    assert executors_lost(RuntimeError("Job 3 cancelled by the user")) is None
