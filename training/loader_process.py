"""Loader processes: each makes the batches of its own steps in memory that it shares with the trainer; pictures are never pickled."""

import contextlib
import ctypes
import os
import signal
import traceback
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from schemas.errors import TalkvidError
from training.batch import SampleKey
from training.sample import SampleShape
from training.stream_work import Arrays, StreamWork

SLOTS = 3
"""Batches that a process may be ahead."""
ALIGNMENT = 64


@dataclass(frozen=True)
class Made:
    """A batch in shared memory, until its slot is given back."""

    step: int
    keys: list[SampleKey]
    arrays: Arrays


class LoaderProcess:
    """A spawned process that makes the batches of `work`, ahead of time. It ends with `close`, or when the trainer does."""

    def __init__(self, work: StreamWork) -> None:
        context = get_context("spawn")
        self._views, memory = [], []
        for _ in range(SLOTS):
            memory.append(context.RawArray(ctypes.c_uint8, _bytes(work.shape)))
            self._views.append(_arrays(memory[-1], work.shape))
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(work, memory, other), daemon=True, name="talkvid-loader")
        self._process.start()
        other.close()

    @contextlib.contextmanager
    def next(self) -> Iterator[Made]:
        """The next batch; its arrays may be used inside the block only.

        Raises what ended the process: a `TalkvidError` as its own class, anything else, or a kill, as a `TalkvidError` that says which.
        """
        try:
            message = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            self._process.join(10)
            raise TalkvidError(f"a loader process ended with status {self._process.exitcode}; if memory ran out, use fewer workers") from None
        if message[0] == "error":
            raise message[1](message[2])
        _, step, keys, slot = message
        yield Made(step, keys, self._views[slot])
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._pipe.send(slot)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _bytes(shape: SampleShape) -> int:
    return sum(_padded(int(np.prod(size)) * kind.itemsize) for size, kind in shape.arrays().values())


def _padded(count: int) -> int:
    return -(-count // ALIGNMENT) * ALIGNMENT


def _arrays(memory: Any, shape: SampleShape) -> Arrays:
    """A batch's arrays, lying one after the other in a piece of memory."""
    found, start = {}, 0
    for name, (size, kind) in shape.arrays().items():
        count = int(np.prod(size))
        found[name] = np.frombuffer(memory, kind, count, start).reshape(size)
        start += _padded(count * kind.itemsize)
    return found


def _serve(work: StreamWork, memory: list[Any], pipe: Connection) -> None:
    """Body of the process. Signals that are meant for the trainer's process group do not reach it."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _one_thread()
    views = [_arrays(piece, work.shape) for piece in memory]
    free, taken = deque(range(len(views))), deque[int]()

    def next_free() -> Arrays:
        while not free or pipe.poll():
            free.append(pipe.recv())
        taken.append(free.popleft())
        return views[taken[-1]]

    try:
        for step, keys, _ in work.batches(next_free):
            pipe.send(("batch", step, keys, taken.popleft()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except TalkvidError as error:
        _tell(pipe, type(error), str(error))
    except Exception as error:  # noqa: BLE001 - the trainer is told, its traceback goes to the log
        traceback.print_exc()
        _tell(pipe, TalkvidError, f"a loader process failed: {type(error).__name__}: {error}")


def _tell(pipe: Connection, kind: type[TalkvidError], sentence: str) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        pipe.send(("error", kind, sentence))


def _one_thread() -> None:
    import cv2
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
