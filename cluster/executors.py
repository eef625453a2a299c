"""Reaching the master, and waiting for the first executor: Spark itself waits for one for ever (cluster.md §1)."""

import json
import re
import socket
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from schemas.errors import MissingError, TalkvidError, UsageError, VerificationError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

WAIT = "spark.talkvid.executorWait"
"""Setting: seconds in which an executor has to come when there is none."""
WAIT_S = 180.0
SPARKS_INSTANCES = "2"
"""Executors that Spark asks YARN and Kubernetes for when it is told no number."""
_SAID = {"MissingError": MissingError, "UsageError": UsageError, "VerificationError": VerificationError}


def reach_master(master: str, timeout_s: float = 10.0) -> None:
    """Raise `MissingError` when no standalone master of `master` (spark://A:7077,B:7077) takes a connection; others are not asked."""
    if not master.startswith("spark://"):
        return
    reasons = []
    for place in master.removeprefix("spark://").split(","):
        host, _, port = place.rpartition(":")
        try:
            with socket.create_connection((host, int(port)), timeout=timeout_s):
                return
        except (OSError, ValueError) as error:
            reasons.append(f"{place}: {getattr(error, 'strerror', None) or error}")
    raise MissingError(f"no master answers at {master} ({'; '.join(reasons)}): start it (cluster/standalone/start-master.sh), or give its address by --master")


def await_executor(session: "SparkSession", poll_s: float = 0.25) -> None:
    """Return when an executor is there. Raises `MissingError` with what to do when none comes in the time that `WAIT` gives."""
    context = session.sparkContext
    limit_s = wait_s(session)
    scala = context._jsc.sc()
    if session.conf.get("spark.dynamicAllocation.enabled", "false") == "true":
        scala.requestExecutors(1)
    ends = time.monotonic() + limit_s
    while time.monotonic() < ends:
        if scala.isStopped():
            raise MissingError(f"{context.master} took the application off: see its log; is the master up, and of the same Spark version?")
        if len(scala.statusTracker().getExecutorInfos()) > 1:
            return
        time.sleep(poll_s)
    raise MissingError(f"no executor came within {limit_s:.0f} s ({WAIT}): {why_none(session)}")


def await_asked(session: "SparkSession", poll_s: float = 0.2) -> int | None:
    """Wait until as many executors are there as were asked for, as long as for the first; how many were asked for, None where no number was said.

    Only YARN and Kubernetes start a number of executors, without dynamic allocation; others give whatever is free.
    """
    context = session.sparkContext
    if not context.master.startswith(("yarn", "k8s")) or session.conf.get("spark.dynamicAllocation.enabled", "false") == "true":
        return None
    asked = session.conf.get("spark.executor.instances", SPARKS_INSTANCES)
    tracker = context._jsc.sc().statusTracker()
    ends = time.monotonic() + wait_s(session)
    while len(tracker.getExecutorInfos()) - 1 < int(asked) and time.monotonic() < ends:
        time.sleep(poll_s)
    return int(asked)


def wait_s(session: "SparkSession") -> float:
    """Seconds that a session waits for an executor when it has none. Raises `UsageError` for a setting that is no number of seconds."""
    said = session.conf.get(WAIT, str(WAIT_S))
    seconds = re.fullmatch(r"(\d{1,9}(\.\d+)?)s?", said)
    if seconds is None:
        raise UsageError(f"--conf {WAIT}={said}: it takes seconds, for example 180")
    return float(seconds[1])


def why_none(session: "SparkSession") -> str:
    """Half a sentence that says why there may be no executor and what to do; a standalone master is asked what it sees."""
    context = session.sparkContext
    host = session.conf.get("spark.driver.host", "")
    unreachable = f"executors cannot reach the driver at {host}: set --conf spark.driver.host to an address of this machine that they can reach"
    crowded = "no free node has the cores, memory and GPUs that one executor asks for"
    granted = _granted(context.master, context.applicationId)
    if granted is None:
        return f"either {crowded}, or {unreachable}"
    if granted > 0:
        return f"the master started some, so {unreachable}"
    return f"the master started none: {crowded} (spark.executor.cores, .memory, .resource.gpu.amount), or no worker is alive"


def _granted(master: str, application: str) -> int | None:
    """Cores that a standalone master gave the application; None when it cannot be asked."""
    if not master.startswith("spark://"):
        return None
    try:
        with urllib.request.urlopen(f"http://{urlsplit(master.split(',')[0]).hostname}:8080/json/", timeout=3) as answer:
            state = json.load(answer)
    except (OSError, ValueError, urllib.error.URLError):
        return None
    return next((int(app["cores"]) for app in state.get("activeapps", []) if app.get("id") == application), 0)


def python_lacking(error: BaseException) -> MissingError | None:
    """What to do when a job failed because the nodes have no Python where the driver's is, or another version; None for other failures."""
    text = str(error)
    absent = re.search(r'Cannot run program "([^"]+)".*(?:error=2|No such file)', text)
    if absent:
        return MissingError(f"the nodes have no Python at {absent[1]}: give --conf spark.pyspark.python=PATH as it is there; talkvid doctor looks at each node")
    if "PYTHON_VERSION_MISMATCH" in text:
        return MissingError("the nodes have another Python version than the driver: give --conf spark.pyspark.python=PATH of the same one there")
    return None


def worker_said(error: BaseException) -> TalkvidError | None:
    """What a worker on some node cannot do without, when that ended the job; None for other failures."""
    said = re.search(rf"^schemas\.errors\.({'|'.join(_SAID)}): (.+)$", str(error), re.MULTILINE)
    return _SAID[said[1]](f"an executor says: {said[2]}") if said else None
