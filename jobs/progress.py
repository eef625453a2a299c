"""The progress line: rate and time left, at least every 10 s, on stderr."""

import json
import socket
import sys
import threading
import time
from types import TracebackType

from udfs.progress import Reporter

EVERY_S = 5.0


class Progress:
    """Counts finished items by what workers report, and prints a line every few seconds while it is open.

    `total` is the number of items; on a terminal the line is redrawn in place.
    """

    def __init__(self, verb: str, total: int, *, host: str = "127.0.0.1", quiet: bool = False) -> None:
        self._verb, self._total, self._quiet = verb, total, quiet
        self._started = time.monotonic()
        self._done = 0
        self._settled = 0
        self._current = ""
        self._ended = threading.Event()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1" if host == "127.0.0.1" else "0.0.0.0", 0))
        self._socket.settimeout(0.5)
        self.reporter = Reporter(None if quiet else (host, self._socket.getsockname()[1]))
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> "Progress":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()
        if not self._quiet and kind is None:
            self._print(last=True)

    def settle(self, items: int) -> None:
        """`items` more are committed: the count is put right, whatever datagrams were lost."""
        self._settled += items
        self._done = self._settled

    def _listen(self) -> None:
        printed = time.monotonic()
        while not self._ended.is_set():
            try:
                message = json.loads(self._socket.recv(1024))
            except TimeoutError:
                message = None
            if message:
                self._current = str(message.get("label", ""))[:60]
                self._done = min(self._total, self._done + (message.get("event") == "finished"))
            if not self._quiet and time.monotonic() - printed >= EVERY_S:
                printed = time.monotonic()
                self._print()

    def _print(self, last: bool = False) -> None:
        elapsed = time.monotonic() - self._started
        rate = self._done / elapsed if elapsed > 0 else 0.0
        left = f"{_span((self._total - self._done) / rate)} left" if rate > 0 else "time left unknown"
        parts = [f"{self._verb}: {self._done} of {self._total}", f"{rate:.2f}/s", f"{_span(elapsed)} so far" if last else left]
        parts += [f"at {printable(self._current)}"] if self._current and not last else []
        text = " · ".join(parts)
        if sys.stderr.isatty():
            print(f"\r\033[K{text}", end="\n" if last else "", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """Text without control characters, safe on a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
