"""What is said when executors cannot work."""

import pytest

from cluster.executors import python_lacking, reach_master
from schemas.errors import MissingError

ABSENT = """Job aborted due to stage failure: Task 0 in stage 2.0 failed 8 times, most recent failure: java.io.IOException:
Cannot run program "/opt/none/bin/python": Exec failed, error: 2 (No such file or directory)"""


def test_a_python_that_is_not_on_the_nodes_is_named_with_what_to_do():
    said = python_lacking(RuntimeError(ABSENT))
    assert isinstance(said, MissingError)
    assert "/opt/none/bin/python" in str(said)
    assert "spark.pyspark.python" in str(said)


def test_another_version_is_said_and_other_errors_are_left_alone():
    assert "another Python version" in str(python_lacking(RuntimeError("[PYTHON_VERSION_MISMATCH] Python in worker has different version: 3.9")))
    assert python_lacking(ValueError("Cannot run program")) is None


def test_masters_are_tried_in_turn_and_other_managers_are_not_asked():
    reach_master("local[2]")
    reach_master("k8s://https://127.0.0.1:9")
    with pytest.raises(MissingError, match=r"127.0.0.1:9: .*; 127.0.0.1:10: "):
        reach_master("spark://127.0.0.1:9,127.0.0.1:10")
