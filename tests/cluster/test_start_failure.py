"""What is said when Spark does not start, and whose mistake it is."""

import pytest
from py4j.protocol import Py4JError, Py4JNetworkError
from pyspark.errors import PySparkRuntimeError

from cluster.start_failure import start_failure
from schemas.errors import MissingError, UsageError
from tests.cluster.java import Thrown, thrown

ABC = "The value 'abc' in the config \"spark.ui.port\" is invalid."
REFUSED = thrown("SparkIllegalArgumentException", f"[INVALID_CONF_VALUE.TYPE_MISMATCH] {ABC} SQLSTATE: 22022")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (REFUSED, ABC),
        (thrown("IllegalArgumentException", "Error while instantiating 'SessionStateBuilder':", REFUSED), ABC),
        (
            thrown("SparkException", "Illegal value for config key spark.a.b", thrown("NumberFormatException", "Failed to parse abc")),
            "Illegal value for config key spark.a.b",
        ),
        (thrown("SparkIllegalArgumentException", "System memory 1 must be at least 2, by --driver-memory or spark.driver.memory"), "System memory 1"),
    ],
)
def test_a_setting_that_is_refused_is_a_mistake_in_the_call(error, said):
    failure = start_failure(Thrown(error), "local[1]")
    assert isinstance(failure, UsageError) and f"Spark refuses a setting: {said}" in str(failure)


@pytest.mark.parametrize(
    "error",
    [
        thrown("IllegalArgumentException", "java.net.UnknownHostException: namenode, of spark.yarn.x", thrown("UnknownHostException", "namenode")),
        thrown("IllegalArgumentException", "requirement failed: Can only call getServletHandlers on a running MetricsSystem"),
        thrown("IllegalArgumentException", "org.apache.spark.SparkContext is not up"),
        thrown("BindException", "Service 'sparkDriver' failed (for example spark.driver.bindAddress)"),
    ],
)
def test_what_java_lacks_is_no_mistake_in_the_call(error):
    failure = start_failure(Thrown(error), "spark://a:7077")
    assert isinstance(failure, MissingError) and str(failure).startswith("Spark did not start with --master spark://a:7077: ")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PySparkRuntimeError("[JAVA_GATEWAY_EXITED] Java gateway process exited"), "Java is no 17 or 21"),
        (Py4JError("Cannot call methods on a stopped SparkContext"), "did not take the application"),
        (Py4JNetworkError("Answer from Java side is empty"), "Answer from Java side is empty"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (TypeError("'JavaPackage' object is not callable"), "'JavaPackage' object is not callable"),
    ],
)
def test_whatever_spark_or_the_machine_says_is_one_sentence(error, said):
    failure = start_failure(error, "local[1]")
    assert isinstance(failure, MissingError) and said in str(failure) and "\n" not in str(failure)


@pytest.mark.parametrize("error", [TypeError("config() takes 2"), AttributeError("no x"), ValueError("a fault"), KeyboardInterrupt()])
def test_a_fault_of_this_program_is_not_explained_away(error):
    assert start_failure(error, "local[1]") is None
