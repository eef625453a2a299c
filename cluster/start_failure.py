"""Why Spark did not start."""

import re

from cluster.jars import DELTA_COORDINATE
from cluster.java_reason import java_causes, java_reason
from schemas.errors import MissingError, TalkvidError, UsageError


def start_failure(error: BaseException, master: str) -> TalkvidError | None:
    """One sentence for what kept Spark from starting: `UsageError` for a setting that it refuses, else `MissingError`; None for an error that neither
    Spark, nor py4j, nor the operating system raised, which is a fault of this program."""
    if not _of_spark(error):
        return None
    refused = _refused_setting(error)
    if refused:
        return UsageError(f"Spark refuses a setting: {refused} (look at --conf)")
    text = _whole(error)
    if "JAVA_GATEWAY_EXITED" in text or "Java gateway process exited" in text:
        return MissingError(
            f"Spark did not start: Java is no 17 or 21, or refuses a --conf (its own words stand above), or Delta's jars ({DELTA_COORDINATE}) "
            "are neither here nor to be fetched; run: make setup"
        )
    if "hadoop-aws" in text or "S3AFileSystem" in text:
        return MissingError("the jars for s3a:// are neither here nor to be fetched; run once with network: python -m cluster.jars --s3a")
    if "stopped SparkContext" in text:
        return MissingError("the cluster's master did not take the application: is it up, and of this Spark version?")
    if "DeltaSparkSessionExtension" in text or "DeltaCatalog" in text or "io.delta" in text:
        return MissingError(f"Delta's jars are not on Spark's class path; run: make setup, or give spark-submit --packages {DELTA_COORDINATE}")
    return MissingError(f"Spark did not start with --master {master}: {java_reason(error)} (look at --master and --conf)")


def _of_spark(error: BaseException) -> bool:
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    # A class that this Spark lacks is to py4j a package, and calling a package a TypeError: SPARK_HOME is that of another version.
    return isinstance(error, PySparkException | Py4JError | OSError | EOFError) or isinstance(error, TypeError) and "JavaPackage" in str(error)


def _refused_setting(error: BaseException) -> str:
    """What Java says of a setting that it refuses; empty for other errors. Arguments are refused for other reasons too: that a host is unknown, that
    something is not up any more."""
    causes = java_causes(error)
    if not causes or not causes[-1].kind.endswith(("IllegalArgumentException", "NumberFormatException")):
        return ""
    return next((cause.said for cause in causes[::-1] if re.search(r"(?<![\w.])spark\.[a-z]", cause.said)), "")


def _whole(error: BaseException) -> str:
    """All that an error says, Java's stack trace too, as far as Java still answers."""
    from py4j.protocol import Py4JError

    try:
        return str(error)
    except (Py4JError, OSError):
        return type(error).__name__
