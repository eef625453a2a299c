"""A Java error as a sentence."""

import pytest
from py4j.protocol import Py4JNetworkError

from cluster.java_reason import JavaCause, java_causes, java_reason, one_line
from tests.cluster.java import Thrown, thrown


@pytest.mark.parametrize("name", ["java_exception", "_origin"])
def test_the_innermost_cause_is_the_reason(name):
    error = Thrown(thrown("SparkException", "Job aborted.", thrown("IOException", "[NO_ROOM] the disk is full\n\tat java.io, SQLSTATE: 1")), name)
    assert java_reason(error) == "the disk is full"
    assert java_causes(error) == [JavaCause("SparkException", "Job aborted."), JavaCause("IOException", "the disk is full")]


@pytest.mark.parametrize("message", [None, "", " \n "])
def test_an_error_without_words_is_told_by_its_class(message):
    assert java_reason(Thrown(thrown("SparkException", "Job aborted.", thrown("NullPointerException", message)))) == "NullPointerException"


@pytest.mark.parametrize("gone", [Py4JNetworkError("Answer from Java side is empty"), ConnectionRefusedError(111, "Connection refused")])
def test_when_java_is_gone_the_error_in_python_is_all_that_is_known(gone):
    def ask():
        raise gone

    lost = thrown("SparkException", "Job aborted.")
    lost.getCause = ask
    assert java_reason(Thrown(lost)) == "Thrown"


def test_other_errors_are_their_first_line():
    assert java_reason(ValueError("[TOO_MANY.ROWS] too many rows, SQLSTATE: 22003\nand more")) == "too many rows"
    assert java_reason(ValueError("")) == "ValueError" and java_causes(ValueError("no")) == []
    assert one_line("\n a [NAME] in the middle stays\nmore") == "a [NAME] in the middle stays"
