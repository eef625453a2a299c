"""Every pool of Petastorm, with a delay put in where its races are: rows expected and rows got over many epochs.

`python -m benchmarks.petastorm_epochs [--epochs 200] [--process-epochs 6] [--python PATH ...]`
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.table import show
from training.petastorm_compat import file_url, make_batch_reader

ROWS, ROWS_PER_GROUP = 12, 4
HEADINGS = ("Python", "pool", "workers", "epochs", "rows expected", "rows got", "epochs with each row once", "epochs in order")


@contextmanager
def slow_to_ask(seconds: float = 0.01) -> Iterator[None]:
    """A consumer held up between counting the items and asking whether the ventilator, which begins a little late, has ended.

    Loses the rows of `thread` and `process` in the original.
    """
    from petastorm.workers_pool.ventilator import ConcurrentVentilator

    completed = ConcurrentVentilator.completed

    def asked_late(ventilator: Any) -> bool:
        if threading.current_thread() is not ventilator._ventilation_thread:
            time.sleep(seconds)
        elif ventilator._current_item_to_ventilate == 0:
            time.sleep(seconds / 4)
        return completed(ventilator)

    with patch.object(ConcurrentVentilator, "completed", asked_late):
        yield


@contextmanager
def slow_to_end(seconds: float = 0.004) -> Iterator[None]:
    """A ventilator held up after each item and before it looks for its end.

    Hangs `dummy` and gives rows twice after `reset` in the original.
    """
    from petastorm.workers_pool.dummy_pool import DummyPool
    from petastorm.workers_pool.process_pool import ProcessPool
    from petastorm.workers_pool.thread_pool import ThreadPool
    from petastorm.workers_pool.ventilator import ConcurrentVentilator

    completed = ConcurrentVentilator.completed

    def looked_late(ventilator: Any) -> bool:
        if threading.current_thread() is ventilator._ventilation_thread:
            time.sleep(seconds)
        return completed(ventilator)

    def then_wait(ventilate: Callable) -> Callable:
        def ventilated(pool: Any, *args: Any, **keywords: Any) -> None:
            ventilate(pool, *args, **keywords)
            time.sleep(seconds)

        return ventilated

    with ExitStack() as delays:
        delays.enter_context(patch.object(ConcurrentVentilator, "completed", looked_late))
        for pool in (DummyPool, ProcessPool, ThreadPool):
            delays.enter_context(patch.object(pool, "ventilate", then_wait(pool.ventilate)))
        yield


DELAYS = (slow_to_ask, slow_to_end)


def numbered_file(path: Path) -> Path:
    """A Parquet file whose column `number` counts its `ROWS` rows from 0, in row groups of `ROWS_PER_GROUP`."""
    pq.write_table(pa.table({"number": range(ROWS)}), path, row_group_size=ROWS_PER_GROUP)
    return path


def numbers(reader: Any) -> list[int]:
    """Column `number` of all rows left in the epoch."""
    return [int(number) for batch in reader for number in batch.number]


def fresh_epochs(path: Path, pool: str, workers: int, epochs: int) -> Iterator[list[int]]:
    """The rows of each epoch, each from a reader of its own, the delays in turns."""
    for epoch in range(epochs):
        with (
            DELAYS[epoch % 2](),
            make_batch_reader([file_url(path)], reader_pool_type=pool, workers_count=workers, shuffle_row_groups=False) as reader,
        ):
            yield numbers(reader)


def reset_epochs(path: Path, pool: str, workers: int, epochs: int) -> Iterator[list[int]]:
    """The rows of each epoch of one reader that is reset in between, the delays in turns."""
    with make_batch_reader([file_url(path)], reader_pool_type=pool, workers_count=workers, shuffle_row_groups=False) as reader:
        for epoch in range(epochs):
            with DELAYS[epoch % 2]():
                if epoch:
                    reader.reset()
                yield numbers(reader)


def measured(epochs: int, process_epochs: int) -> list[tuple]:
    """One row of the table per pool, number of workers and way to begin an epoch, for the Python that runs this."""
    cases = [("dummy", 1, epochs), *(("thread", workers, epochs) for workers in (2, 4, 10)), ("process", 2, process_epochs)]
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = numbered_file(Path(folder, "numbers.parquet"))
        for pool, workers, count in cases:
            for way, begun in (("", fresh_epochs), (" (reset)", reset_epochs)):
                got = list(begun(path, pool, workers, count))
                in_order = sum(rows == list(range(ROWS)) for rows in got)
                complete = sum(sorted(rows) == list(range(ROWS)) for rows in got)
                found.append((sys.version.split()[0], pool + way, workers, count, ROWS * count, sum(map(len, got)), complete, in_order))
    return found


def main() -> None:
    """Measure under each Python, print the table; exit status 1 when a row is missing or there twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--process-epochs", type=int, default=6)
    parser.add_argument("--python", nargs="*", default=[sys.executable], help="interpreters that have petastorm installed")
    parser.add_argument("--json", action="store_true", help="measure under this Python only, print the rows as JSON")
    args = parser.parse_args()
    if args.json:
        print(json.dumps(measured(args.epochs, args.process_epochs)))
        return
    table = []
    for python in args.python:
        words = [python, "-m", "benchmarks.petastorm_epochs", "--json", "--epochs", str(args.epochs), "--process-epochs", str(args.process_epochs)]
        table += json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout)
    show("Petastorm's pools, delays in their races", HEADINGS, table)
    sys.exit(any(row[3] != row[6] for row in table))


if __name__ == "__main__":
    main()
