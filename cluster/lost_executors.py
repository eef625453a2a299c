"""Ending a job whose executors are all gone: Spark itself waits for others for ever."""

import re
import threading
import time
from typing import TYPE_CHECKING

from cluster.executors import WAIT, wait_s, why_none
from schemas.errors import MissingError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EVERY_S = 2.0
_BEGINS = "all executors were lost and none came back"


def watch_executors(session: "SparkSession") -> threading.Thread:
    """From now on jobs are cancelled that see no executor for as long as `WAIT` says; `executors_lost` knows the error that this gives.

    The thread ends with the session. Between jobs nobody is missed: dynamic allocation gives all executors back.
    """
    thread = threading.Thread(target=_watch, args=(session,), name="talkvid-executors", daemon=True)
    thread.start()
    return thread


def _watch(session: "SparkSession") -> None:
    from py4j.protocol import Py4JError

    scala = session.sparkContext._jsc.sc()
    limit_s, last_seen, ended = wait_s(session), time.monotonic(), threading.Event()
    try:
        while not ended.wait(EVERY_S) and not scala.isStopped():
            tracker = scala.statusTracker()
            jobs = list(tracker.getActiveJobIds())
            if not jobs or len(tracker.getExecutorInfos()) > 1:
                last_seen = time.monotonic()
            elif time.monotonic() - last_seen >= limit_s:
                sentence = f"{_BEGINS} within {limit_s:.0f} s ({WAIT}): {why_none(session)}; what was committed stays, run it again to go on"
                for job in jobs:
                    scala.cancelJob(job, sentence)
    except (Py4JError, OSError):  # the session ended meanwhile, and its Java machine with it
        return


def executors_lost(error: BaseException) -> MissingError | None:
    """What to say when a job was cancelled for want of executors; None for other failures."""
    found = re.search(rf"{_BEGINS}.*? to go on", str(error), re.DOTALL)
    return MissingError(found[0]) if found else None
