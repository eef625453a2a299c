"""`talkvid VERB …`: finds the verb's job, runs it, prints its summary, and turns every end into an exit status."""

import importlib
import os
import signal
import sys
import time
import traceback
from argparse import Namespace
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from types import FrameType
from typing import TYPE_CHECKING, Any

from cluster.executors import python_lacking, worker_said
from cluster.lost_executors import executors_lost
from jobs import metadata
from jobs.arguments import assignments, verb_parser
from jobs.job import Job
from jobs.summary import Summary
from jobs.text_table import escaped
from schemas.errors import Interrupted, TalkvidError, TooManyFailedError, interruption_behind
from schemas.lake import Lake
from schemas.lease import lease
from schemas.path_errors import path_refused
from schemas.s3 import unreachable

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

VERBS = {
    "ingest": "register raw videos",
    "segment": "find shots, speech and clips",
    "score": "measure clips",
    "filter": "show what a policy keeps; --save makes it active",
    "export": "cut the kept clips and write a dataset",
    "sql": "ask the tables",
    "report": "write the HTML report",
    "prepare": "make training samples of the kept clips",
    "train": "train one stage of the talking-head model",
    "generate": "make videos from portraits and sounds",
    "run": "ingest, segment, score, filter, export and report in one go",
    "evaluate": "measure generated videos and compare groups",
    "bench": "choose the benchmark and keep its speakers out of training",
    "demo": "the whole line on sample footage, or on your own",
    "remove": "take videos out of every place, and keep them out",
    "maintain": "compact and vacuum every table",
    "weights": "list, fetch, verify, add and export network weights",
    "doctor": "look at the driver and every executor, and say what to do",
    "package": "write the project as a zip for spark-submit --py-files",
    "cluster-conf": "print Spark settings for nodes of a kind, with reasons",
}


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the console command."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or words[0] in ("-h", "--help"):
        print(_overview())
        sys.exit(0 if words else 2)
    verb = words[0]
    if verb not in VERBS:
        print(f"talkvid: there is no verb {verb!r}; the verbs are: {', '.join(VERBS)}", file=sys.stderr)
        sys.exit(2)
    status = run_verb(importlib.import_module(f"jobs.{verb.replace('-', '_')}").JOB, words[1:])
    _watch_signals(_leave)
    sys.exit(status)


def _overview() -> str:
    lines = ["usage: talkvid VERB [options]     (talkvid VERB --help tells more)", ""]
    return "\n".join(lines + [f"  {verb:<12} {what}" for verb, what in VERBS.items()])


def run_verb(job: Job, words: list[str]) -> int:
    """Run one verb with its command-line words; returns the exit status."""
    args = verb_parser(job).parse_args(words)
    _watch_signals()
    try:
        config = job.configure(args)
        lake = Lake.at(args.lake)
        _require_lake(job, lake, config)
        with lease(lake.place, job.verb) if job.takes_lease(config) else nullcontext(), _sessions(job, lake, args) as sessions:
            if job.takes_lease(config) and (job.creates_lake(config) or lake.place.exists()):
                _make_tables(lake)
            summary = execute(job, lake, config, sessions)
        if summary.results and not args.json:
            print(escaped(summary.results, keep="\n\t"))
        if job.prints_summary:
            print(summary.json() if args.json else summary.line(), flush=True)
        if summary.failure is not None:
            raise summary.failure
        if args.max_failed is not None and summary.counts.get("failed", 0) > args.max_failed:
            raise TooManyFailedError(f"{summary.counts['failed']} failed, more than --max-failed {args.max_failed}")
        return 0
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except (Interrupted, KeyboardInterrupt, Exception) as error:
        return _ended(job, error)


def _ended(job: Job, error: BaseException) -> int:
    """Say what ended a verb; returns the exit status. What is nobody's sentence is a traceback and 1."""
    _watch_signals(_leave)
    interruption = interruption_behind(error)
    if interruption is not None:
        print(f"talkvid {job.verb}: interrupted; what was committed stays, run it again to go on", file=sys.stderr)
        return interruption.exit_status
    told = error if isinstance(error, TalkvidError) else _told_elsewhere(error)
    if told is None:
        print(escaped("".join(traceback.format_exception(error)), keep="\n\t"), end="", file=sys.stderr)
        return 1
    sentence = escaped(str(told), keep="\n")
    print(f"talkvid {job.verb}: {sentence}", file=sys.stderr)
    return told.exit_status


def _told_elsewhere(error: BaseException) -> TalkvidError | None:
    """The sentence of an error that something else raised: what a cluster lacks, a store that is gone, a path that the system does not let us use."""
    return python_lacking(error) or worker_said(error) or executors_lost(error) or unreachable(error) or path_refused(error)


def _require_lake(job: Job, lake: Lake, config: Any) -> None:
    """Raise `MissingError` when a verb that cannot be the first one finds no lake, or one that can lacks something. Before a lease is taken,
    which would make a folder."""
    if not job.takes_lease(config) or lake.place.exists():
        return
    if not job.creates_lake(config):
        lake.place.require()
    job.check(lake, config)


def _make_tables(lake: Lake) -> None:
    """Have all tables there with all columns. What `clip_metadata` gets to show is filled in at once: a verb with nothing to do leaves it at that."""
    if metadata.TABLE.name in lake.ledger.create():
        metadata.refresh(lake)


class Sessions:
    """Starts the Spark session when it is first asked for, and stops it at the end. `s3`: one that reads `s3a://` by itself."""

    def __init__(self, master: str | None, conf: Mapping[str, str], s3: bool = False) -> None:
        self._master, self._conf, self._s3 = master, conf, s3
        self._session: SparkSession | None = None

    def __enter__(self) -> "Sessions":
        return self

    def __exit__(self, *error: object) -> None:
        if self._session is not None:
            self._session.stop()
            self._session = None

    def get(self) -> "SparkSession":
        """The session, with what the command line says of it."""
        if self._session is None:
            from cluster.session import spark_session

            self._session = spark_session(self._master, self._conf, s3=self._s3)
            _watch_signals()
        return self._session


def _sessions(job: Job, lake: Lake, args: Namespace) -> Sessions:
    return Sessions(args.master, assignments(args.conf, "--conf"), s3=job.spark_reads_lake and not lake.place.is_local)


def execute(job: Job, lake: Lake, config: Any, sessions: Sessions) -> Summary:
    """Run a job unless it has nothing to do; Spark starts only if it is needed."""
    started = time.monotonic()
    job.check(lake, config)
    summary = job.idle(lake, config)
    if summary is None:
        summary = job.run(sessions.get() if job.needs_spark(config) else None, lake, config)
    summary.seconds = time.monotonic() - started
    for note in summary.notes:
        print(escaped(note, keep="\n"), file=sys.stderr)
    return summary


def _watch_signals(handler: Callable[[int, FrameType | None], None] | None = None) -> None:
    """Make signals end the verb, or call `handler`."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler or _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise Interrupted(number)


def _leave(number: int, frame: FrameType | None) -> None:
    """End at once: nothing is left to be tidied up when a verb has ended."""
    os._exit(128 + number)


if __name__ == "__main__":
    main()
