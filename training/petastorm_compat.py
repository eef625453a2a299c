"""Petastorm 0.12.1 on pyarrow 26 and numpy 2: supplies what those no longer have, and repairs the races of its worker pools.

Import `make_batch_reader` and `TransformSpec` from here, never from Petastorm: importing it first fails. Names are replaced inside
Petastorm's own modules only; pyarrow and numpy stay as they are (fact sheet: stack.md §2).
"""

import importlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial, wraps
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn
from urllib.parse import urlparse

import dill
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from schemas.errors import MissingError, TalkvidError, UsageError
from training.parquet_row_groups import ParquetDataset, ParquetDatasetPiece, RowGroupPath, in_one_chunk

PETASTORM = "0.12.1"
DELIVERY_MS = 10_000
"""Time that a message has to leave a closing socket."""
LAST_WORDS_MS = 2000
"""Time that what an ended worker sent has to arrive."""


def file_url(path: str | Path) -> str:
    """Address under which Petastorm finds a local file or folder; it takes the path as it is, spaces and `%20` included.

    Raises `UsageError` for a path with a character that would cut the address (`?`, `#`, line ends).
    """
    absolute = os.path.abspath(path)
    if urlparse("file://" + absolute).path != absolute:
        raise UsageError(f"Petastorm cannot read {absolute!r}: move the lake to a folder without ?, # and line ends in its name")
    return "file://" + absolute


def _get_results_in_this_thread(pool: Any) -> Any:
    """`DummyPool.get_results`; the original waits for ever when the last item is done before the ventilator says that it has ended.

    Whether the ventilator has ended is asked before the queue is looked at: what was put there in between is not missed.
    """
    while not pool._results_queue:
        ended = pool._ventilator is None or pool._ventilator.completed()
        if pool._ventilator_queue:
            args, keywords = pool._ventilator_queue.pop(0)
            pool._worker.process(*args, **keywords)
            if pool._ventilator is not None:
                pool._ventilator.processed_item()
        elif ended:
            raise importlib.import_module("petastorm.workers_pool").EmptyResultError
        else:
            time.sleep(0.001)
    return pool._results_queue.pop(0)


def _until_counts_agree(get_results: Callable) -> Callable:
    """`get_results` of a pool whose original compares its two counts before it asks whether the ventilator has ended.

    What was ventilated in between would be lost; once the ventilator has ended the counts are final, so they are compared again.
    """
    empty = importlib.import_module("petastorm.workers_pool").EmptyResultError

    @wraps(get_results)
    def checked(pool: Any) -> Any:
        while True:
            try:
                return get_results(pool)
            except empty:
                ventilator = pool._ventilator
                if ventilator is None or ventilator._stop_requested or pool._ventilated_items == pool._ventilated_items_processed:
                    raise

    return checked


def _after_its_thread_ended(reset: Callable) -> Callable:
    """`ConcurrentVentilator.reset`; the original may be called before the thread of the last epoch has seen its end, which then goes on beside the new one."""

    @wraps(reset)
    def joined(ventilator: Any) -> None:
        if ventilator.completed() and ventilator._ventilation_thread is not None:
            ventilator._ventilation_thread.join()
        reset(ventilator)

    return joined


def _delivering_sockets(zmq: ModuleType) -> type:
    """`zmq.Context` whose sockets send what they were given before they close.

    Petastorm's worker processes ask their sockets not to: the error with which a worker ends gets lost when the machine is busy.
    """

    class DeliveringSocket(zmq.Socket):
        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, max(value, DELIVERY_MS) if name == "linger" else value)

    return type("DeliveringContext", (zmq.Context,), {"_socket_class": DeliveringSocket})


class _ResultsOfLivingWorkers:
    """The poller of a process pool; it raises `TalkvidError` when a worker has ended, where the original goes on without the rows that worker had.

    What a worker sent before it ended, such as its error, comes first.
    """

    def __init__(self, poller: Any, pool: Any) -> None:
        self._poller, self._pool, self._noticed_s = poller, pool, 0.0

    def poll(self, timeout_ms: float) -> list:
        ended = [worker.returncode for worker in self._pool._workers if worker.poll() is not None]
        if ended:
            self._noticed_s = self._noticed_s or time.monotonic()
        ready = self._poller.poll(LAST_WORDS_MS if ended else timeout_ms)
        if ended and (not ready or time.monotonic() > self._noticed_s + DELIVERY_MS / 1000):
            self._pool.stop()
            self._pool.join()
            raise TalkvidError(f"a reader process of Petastorm ended with status {ended[0]}; if memory ran out, use fewer of them")
        return ready


def _watching_workers(start: Callable) -> Callable:
    """`ProcessPool.start`, after which results are waited for only as long as all workers live."""

    @wraps(start)
    def started(pool: Any, *args: Any, **keywords: Any) -> None:
        start(pool, *args, **keywords)
        pool._results_receiver_poller = _ResultsOfLivingWorkers(pool._results_receiver_poller, pool)

    return started


def _loading_one_chunk(load: Callable) -> Callable:
    """A `_load_rows…` of Petastorm's worker whose table has one chunk per column; an empty list (no row met the predicate) stays."""

    @wraps(load)
    def loaded(worker: Any, *args: Any) -> Any:
        table = load(worker, *args)
        return in_one_chunk(table) if isinstance(table, pa.Table) else table

    return loaded


def _start_child(function: Callable, *args: Any, **keywords: Any) -> subprocess.Popen:
    """Call a function in a new Python process that imports this module before Petastorm; arguments travel through a temporary file."""
    handle, path = tempfile.mkstemp(suffix=".petastorm")
    with os.fdopen(handle, "wb") as file:
        dill.dump((function, args, keywords), file)
    program = "import importlib, sys; importlib.import_module(sys.argv[1]).run_child(sys.argv[2])"
    search_path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
    return subprocess.Popen([sys.executable, "-c", program, __name__, path], env=os.environ | {"PYTHONPATH": search_path})


def run_child(path: str) -> None:
    """Call, in a process started by `_start_child`, the function left in the file at `path`; the file is removed first."""
    with open(path, "rb") as file:
        function, args, keywords = dill.load(file)  # noqa: S301 - written by the parent process, readable by its user only
    os.remove(path)
    function(*args, **keywords)


def _no_hdfs(*_args: Any, **_keywords: Any) -> NoReturn:
    raise UsageError("hdfs:// cannot be read by the trainer: stage the files on a local disk first")


def _overlay(module: ModuleType, **names: Any) -> ModuleType:
    """A module that has these names and, for all others, those of `module`."""
    made = ModuleType(module.__name__)
    vars(made).update(names, __getattr__=partial(getattr, module))
    return made


def _check_version() -> None:
    """Raise `MissingError` unless the one version this module was written for is installed."""
    try:
        found = metadata.version("petastorm")
    except metadata.PackageNotFoundError:
        found = "none"
    if found != PETASTORM:
        raise MissingError(f"training needs petastorm {PETASTORM} and found {found}: pip install petastorm=={PETASTORM}")


def _import_petastorm() -> ModuleType:
    """Petastorm, imported with stand-ins for the two modules that its import needs and that are gone; only the first stays."""
    namenode, filesystem = ModuleType("petastorm.hdfs.namenode"), ModuleType("pyarrow.filesystem")
    namenode.HdfsNamenodeResolver = _no_hdfs
    namenode.HdfsConnector = SimpleNamespace(hdfs_connect_namenode=_no_hdfs)
    filesystem.LocalFileSystem = LocalFileSystem
    sys.modules[namenode.__name__], sys.modules[filesystem.__name__] = namenode, filesystem
    try:
        return importlib.import_module("petastorm")
    finally:
        del sys.modules[filesystem.__name__]


def _adapt() -> None:
    """Replace names inside Petastorm's modules; the numbers are the points of stack.md §2."""

    def inside(name: str) -> ModuleType:
        return importlib.import_module(f"petastorm.{name}")

    workers = inside("arrow_reader_worker"), inside("py_dict_reader_worker")
    for module in (inside("unischema"), workers[0], inside("weighted_sampling_reader")):  # 4
        module.np = _overlay(np, unicode_=np.str_, string_=np.bytes_, float=float)
    for module in (inside("reader"), *workers, inside("etl.dataset_metadata"), inside("etl.rowgroup_indexing")):  # 5
        module.pq = _overlay(pq, ParquetDataset=ParquetDataset, ParquetDatasetPiece=ParquetDatasetPiece)
    inside("fs_utils").pyarrow = _overlay(pa, localfs=LocalFileSystem())  # 6
    for module in workers:  # 7: opened per row group and never used
        module.ParquetFile = lambda file: file.close()
    worker = workers[0].ArrowReaderWorker
    worker._load_rows = _loading_one_chunk(worker._load_rows)  # 8
    worker._load_rows_with_predicate = _loading_one_chunk(worker._load_rows_with_predicate)
    for pool in (inside("workers_pool.thread_pool").ThreadPool, inside("workers_pool.process_pool").ProcessPool):  # 9
        pool.get_results = _until_counts_agree(pool.get_results)
    inside("workers_pool.dummy_pool").DummyPool.get_results = _get_results_in_this_thread  # 10
    processes = inside("workers_pool.process_pool")
    processes.exec_in_new_process = _start_child  # 11
    processes.zmq = _overlay(processes.zmq, Context=_delivering_sockets(processes.zmq))
    processes.ProcessPool.start = _watching_workers(processes.ProcessPool.start)
    ventilator = inside("workers_pool.ventilator").ConcurrentVentilator
    ventilator.reset = _after_its_thread_ended(ventilator.reset)


_check_version()
_petastorm = _import_petastorm()
_adapt()
make_batch_reader = _petastorm.make_batch_reader
TransformSpec = _petastorm.TransformSpec


def row_group_reader(row_groups: Sequence[RowGroupPath], columns: Sequence[str]) -> Any:
    """Petastorm's reader over row groups of local files in exactly this order, one batch (a named tuple of arrays) each, in this thread.

    Use it as a context manager. Lists of numbers arrive as bytes, strings as `<U`. Raises `TalkvidError` for a damaged file,
    `FileNotFoundError` for one that is gone.
    """

    def inside(name: str) -> ModuleType:
        return importlib.import_module(f"petastorm.{name}")

    return inside("reader").Reader(
        LocalFileSystem(),
        list(row_groups),
        schema_fields=[f"^{name}$" for name in columns],
        worker_class=inside("arrow_reader_worker").ArrowReaderWorker,
        reader_pool=inside("workers_pool.dummy_pool").DummyPool(),
        cache=inside("cache").NullCache(),
        shuffle_row_groups=False,
        is_batched_reader=True,
    )
