"""The one place that makes a Spark session (stack.md §1)."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cluster import s3a
from cluster.executors import await_executor, reach_master
from cluster.jars import DELTA_COORDINATE, IVY, jars_in_cache, jars_installed, spark_jars_folder
from cluster.java import require_java
from cluster.lost_executors import watch_executors
from cluster.master import require_master
from cluster.package import runs_from_zip, write_package
from cluster.start_failure import start_failure
from schemas.errors import interruption_behind

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DEFAULT_MASTER = "local[*,4]"
"""All cores; four attempts a task, so that the death of one Python worker costs a retry and not the job."""

_ALWAYS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "256",
    "spark.sql.execution.pythonUDF.arrow.enabled": "true",
    "spark.databricks.delta.properties.defaults.enableDeletionVectors": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.ui.enabled": "false",
}
_LOCAL = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "2g",
    "spark.sql.shuffle.partitions": "4",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
    "spark.sql.warehouse.dir": "file:///tmp/talkvid-warehouse",
}
_REMOTE = {
    "spark.locality.wait": "0s",
    "spark.task.maxFailures": "8",
    "spark.excludeOnFailure.enabled": "true",
    "spark.excludeOnFailure.task.maxTaskAttemptsPerExecutor": "2",
    "spark.excludeOnFailure.task.maxTaskAttemptsPerNode": "2",
    "spark.excludeOnFailure.stage.maxFailedTasksPerExecutor": "4",
    "spark.excludeOnFailure.application.maxFailedTasksPerExecutor": "16",
    "spark.excludeOnFailure.timeout": "15m",
}
"""Rows are references, so no task waits for the executor on which the list of its items happens to lie: all slots start at once.
A node whose Python is broken loses its tasks to the others. A clip that kills its worker does so once, and is isolated in the second
attempt, also where there is one executor only; a few such clips an hour exclude nobody."""


def spark_session(master: str | None = None, conf: Mapping[str, str] | None = None, app: str = "talkvid", s3: bool = False) -> "SparkSession":
    """The session of this process, made when there is none. Nothing that spark-submit was given is overridden. `s3`: Spark itself
    shall read `s3a://` addresses.

    On a cluster the project's code is shipped to the executors, and the first of them is waited for. Raises `UsageError` for what is
    no master and for a setting that Spark refuses, `MissingError` when Java, Delta's jars or the network to fetch them are not there,
    Spark does not start, or no executor comes.
    """
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    if not submitted:
        require_master(master or DEFAULT_MASTER)
        require_java()
    from pyspark import SparkContext
    from pyspark.conf import SparkConf
    from pyspark.sql import SparkSession

    if submitted:
        SparkContext._ensure_initialized()  # only then does SparkConf know what spark-submit was given
    given = SparkConf()
    wanted = dict(conf or {})
    chosen = given.get("spark.master", None) if submitted else None
    target = master or chosen or DEFAULT_MASTER
    local = target.startswith("local")
    reach_master(target)
    defaults = _ALWAYS | (_LOCAL | _quiet_log() if local else _REMOTE) | _jars(submitted, target, s3) | (s3a.settings() if s3 else {})
    os.environ.setdefault("PYSPARK_PYTHON", wanted.get("spark.pyspark.python") or sys.executable)
    builder = SparkSession.builder.appName(given.get("spark.app.name", app) if submitted else app).master(target)
    for key, value in defaults.items():
        if key not in wanted and not (submitted and given.contains(key)):
            wanted[key] = value
    for key, value in wanted.items():
        builder = builder.config(key, value)
    session = _started(builder, target)
    session.sparkContext.setLogLevel(os.environ.get("TALKVID_SPARK_LOG", "FATAL" if local else "ERROR"))
    if not local:
        _join_cluster(session)
    return session


def _started(builder: "SparkSession.Builder", master: str) -> "SparkSession":
    """The session, its SQL settings read too: Spark itself reads those at the first query only."""
    session = None
    try:
        session = builder.getOrCreate()
        session._jsparkSession.sessionState()
    except BaseException as error:
        failure = start_failure(error, master) if interruption_behind(error) is None else None
        if session is not None:
            session.stop()
        if failure is None:
            raise
        raise failure from error
    return session


def _join_cluster(session: "SparkSession") -> None:
    """Wait for an executor, from then on see to it that one is there, and ship the code unless spark-submit did."""
    try:
        await_executor(session)
    except BaseException:
        session.stop()
        raise
    watch_executors(session)
    if not runs_from_zip():
        session.sparkContext.addPyFile(str(write_package()))


def _quiet_log() -> dict[str, str]:
    """Spark's start-up chatter off. Java can open no file in a zip, and a path with a blank cannot stand in its options."""
    settings = Path(__file__).with_name("log4j2.properties")
    if not settings.exists() or " " in str(settings):
        return {}
    return {"spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={settings.as_uri()}"}


def _jars(submitted: bool, target: str, s3: bool) -> dict[str, str]:
    """How the session gets Delta's jars, and those for s3a://: they lie in Spark's own folder, in the cache, or are fetched."""
    folder = spark_jars_folder()
    sets = [(jars_installed(), jars_in_cache(), (DELTA_COORDINATE,))]
    if s3:
        sets.append((s3a.installed(folder), s3a.lacking(s3a.installed(IVY / "jars"), folder), s3a.coordinates(folder)))
    if target.startswith("local") and all(installed for installed, _, _ in sets):
        return {}
    jars = [str(jar) for installed, cached, _ in sets for jar in installed or cached]
    missing = [name for installed, cached, names in sets if not installed and not cached for name in names]
    found = {"spark.jars": ",".join(jars)} if jars else {}
    if missing and not submitted:
        found |= {"spark.jars.packages": ",".join(missing), "spark.jars.excludes": ",".join(s3a.EXCLUDED)}
    return found
