"""A polite end: SIGTERM and SIGINT are noted, and the loop stops after its step."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from schemas.errors import Interrupted

ECHO_S = 5.0
"""Signals so soon after the first are the same request: a terminal or a scheduler tells every process, and launchers tell their ranks again."""


class StopRequest:
    """`signal` is the number of the signal that arrived, 0 before."""

    def __init__(self) -> None:
        self.signal, self._since = 0, 0.0

    def note(self, number: int, frame: FrameType | None = None) -> None:
        """Handler of signals. A second request ends at once, with what was saved before: raises `Interrupted`."""
        if not self.signal:
            self.signal, self._since = number, time.monotonic()
        elif time.monotonic() - self._since > ECHO_S:
            raise Interrupted(number)


@contextmanager
def watched() -> Iterator[StopRequest]:
    """Signals are noted while this is open, and do what they did before afterwards."""
    request = StopRequest()
    before = {number: signal.signal(number, request.note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
