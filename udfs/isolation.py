"""Work in a child process, so that an item that kills its process costs a row and not the job.

Used when a Python worker has died before: the items of its task are then done in a child, and an item during which the child
dies twice, the second time alone, is given up as `worker_died`.
"""

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from schemas.errors import TalkvidError
from schemas.scratch import own, scratch_folder
from udfs.memory_cap import keep_cap

Rows = list[dict]
Worker = Callable[[list[dict]], Iterator[tuple[int, Rows]]]


def isolated(worker: Worker, items: list[dict], on_death: Callable[[dict], Rows]) -> Iterator[tuple[int, Rows]]:
    """The same as `worker(items)`, in child processes. Items left over when a child dies are tried one by one.

    Raises `RuntimeError` when a child ends with an error of its own, and what the child raised when that is a `TalkvidError`.
    """
    done: set[int] = set()
    for position, rows in _in_child(worker, items):
        done.add(position)
        yield position, rows
    for position in (index for index in range(len(items)) if index not in done):
        results = list(_in_child(worker, [items[position]]))
        yield position, results[0][1] if results else on_death(items[position])


def _in_child(worker: Worker, items: list[dict]) -> Iterator[tuple[int, Rows]]:
    """Results of a child until it ends or dies."""
    with tempfile.TemporaryDirectory(prefix=own("lone-"), dir=scratch_folder()) as folder:
        task = Path(folder, "task")
        task.write_bytes(pickle.dumps((worker, items)))
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        child = subprocess.Popen([sys.executable, "-m", "udfs.isolation", str(task)], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environment)
        assert child.stdout is not None
        with child.stdout as stream:
            yield from _results(stream)
        status = child.wait()
        if status > 0:
            raise RuntimeError(f"the isolated worker ended with status {status}")


def _results(stream: BinaryIO) -> Iterator[tuple[int, Rows]]:
    """What the child wrote, up to its end; a result cut short by its death is none."""
    while True:
        try:
            result = pickle.load(stream)  # noqa: S301 - written by our own child
        except (EOFError, pickle.UnpicklingError):
            return
        if isinstance(result, TalkvidError):
            raise result
        yield result


def _child(task: Path) -> None:
    """Body of the child: results go to the real standard output, anything printed to standard error."""
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    keep_cap()
    worker, items = pickle.loads(task.read_bytes())  # noqa: S301 - written by our own parent
    try:
        for position, rows in worker(items):
            pickle.dump((position, rows), results)
            results.flush()
    except TalkvidError as error:
        pickle.dump(error, results)
        results.flush()


if __name__ == "__main__":
    _child(Path(sys.argv[1]))
