"""What is said when executors cannot work."""

from types import SimpleNamespace

import pytest

from cluster.executors import WAIT, await_asked, python_lacking, reach_master, wait_s, worker_said
from schemas.errors import MissingError, UsageError, VerificationError

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


SAID = """[UDF_ERROR.PAYLOAD] The execution of Python function failed: An exception was thrown from the Python worker.
Traceback (most recent call last):
  File "/tmp/talkvid.zip/inference/worker.py", line 57, in generate_items
schemas.errors.MissingError: /home/me/model holds no trained model: neither model/denoising_unet.bin nor a folder in the official layout

"""


def test_what_a_worker_says_that_it_lacks_is_passed_on():
    said = worker_said(RuntimeError(SAID))
    assert isinstance(said, MissingError)
    assert str(said).startswith("an executor says: /home/me/model holds no trained model: ") and str(said).endswith("official layout")
    assert worker_said(ValueError("a clip of MissingError: fame")) is None


@pytest.mark.parametrize("said", ["3m", "nan", "-1", "soon"])
def test_a_wait_that_is_no_number_of_seconds_is_refused(said):
    with pytest.raises(UsageError, match="takes seconds"):
        wait_s(SimpleNamespace(conf={WAIT: said}))
    assert [wait_s(SimpleNamespace(conf=conf)) for conf in ({WAIT: "90s"}, {WAIT: "1.5"}, {})] == [90.0, 1.5, 180.0]


def test_masters_are_tried_in_turn_and_other_managers_are_not_asked():
    reach_master("local[2]")
    reach_master("k8s://https://127.0.0.1:9")
    with pytest.raises(MissingError, match=r"127.0.0.1:9: .*; 127.0.0.1:10: "):
        reach_master("spark://127.0.0.1:9,127.0.0.1:10")


def test_a_damaged_file_that_a_worker_met_is_its_sentence_too():
    said = worker_said(RuntimeError(SAID.replace("MissingError", "VerificationError")))
    assert isinstance(said, VerificationError)


class Application:
    """A session of a manager, to which one more executor comes each time it is counted."""

    def __init__(self, master: str, conf: dict[str, str], most: int) -> None:
        self.conf, self.counted = conf, 0
        counts = SimpleNamespace(getExecutorInfos=lambda: range(1 + self._counted(most)))
        self.sparkContext = SimpleNamespace(master=master, _jsc=SimpleNamespace(sc=lambda: SimpleNamespace(statusTracker=lambda: counts)))

    def _counted(self, most: int) -> int:
        self.counted = min(most, self.counted + 1)
        return self.counted


@pytest.mark.parametrize(
    ("master", "conf", "most", "asked", "came"),
    [
        ("yarn", {"spark.executor.instances": "3"}, 9, 3, 3),
        ("k8s://https://a", {}, 9, 2, 2),
        ("yarn", {"spark.executor.instances": "3", WAIT: "0.1"}, 1, 3, 1),
        ("yarn", {"spark.dynamicAllocation.enabled": "true"}, 9, None, 0),
        ("spark://a:7077", {"spark.executor.instances": "3"}, 9, None, 0),
    ],
)
def test_all_executors_that_a_manager_was_asked_for_are_waited_for(master, conf, most, asked, came):
    session = Application(master, conf, most)
    assert (await_asked(session, poll_s=0.01), session.counted) == (asked, came)
