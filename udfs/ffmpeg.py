"""Starts ffmpeg and ffprobe; nothing else in this repository does (DESIGN.md, "Media").

A started process is in its own group, is killed as a group when its time is spent, dies with its parent,
sees a scrubbed environment and no standard input but what it is fed.
"""

import contextlib
import fcntl
import os
import resource
import selectors
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any

from schemas.codes import Rejected
from schemas.errors import MissingError

KEPT_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")
SEARCHED = ("PATH", "LD_LIBRARY_PATH")
PIPE_BYTES = 1 << 20
MEMORY_BYTES = 6 << 30
"""Most address space of one process: the largest picture that is let through takes 1.5 GiB with its reference frames."""
READ_BYTES = 1 << 16
KEPT_LOG_LINES = 60
LONGEST_LOG_LINE_BYTES = 1 << 16

LogReader = Callable[[str], None]


class Killed(Rejected):
    """The process died by a signal that we did not send. A caller tries again once; uncaught it is a `decode_error`."""

    def __init__(self, program: str, signal_number: int) -> None:
        super().__init__("decode_error", f"{program} was killed by signal {signal_number} while it worked on the file")


@dataclass(frozen=True)
class Finished:
    """What a process that ended by itself left: its standard output, its last log lines, its exit status."""

    output: bytes
    log: tuple[str, ...]
    status: int


def source(path: str | Path, demuxer: str, **options: Any) -> Any:
    """An ffmpeg-python input that opens exactly this file, with this demuxer, and nothing that the file may name.

    `options` are further input options by ffmpeg's names.
    """
    import ffmpeg

    return ffmpeg.input(f"file:{os.path.abspath(path)}", format=demuxer, **input_options(demuxer), **options)


def input_options(demuxer: str) -> dict[str, Any]:
    """Options that keep a demuxer from opening other files or addresses."""
    options: dict[str, Any] = {"protocol_whitelist": "file,pipe"}
    if demuxer == "mov":
        options |= {"enable_drefs": 0, "use_absolute_path": 0}
    return options


def ffmpeg_arguments(output: Any, *, log_level: str = "warning") -> list[str]:
    """The argument list of an ffmpeg-python output, for `Process` or `run`."""
    import ffmpeg

    first = ["-nostdin", "-hide_banner", "-loglevel", f"level+{log_level}", "-filter_threads", "1", "-filter_complex_threads", "1"]
    return first + ffmpeg.get_args(output, overwrite_output=True)


def ffprobe_arguments(path: str | Path, demuxer: str, *, max_pixels: int, show: Sequence[str]) -> list[str]:
    """The argument list of an ffprobe call; `show` says what to print and how."""
    options = [word for name, value in input_options(demuxer).items() for word in (f"-{name}", str(value))]
    first = ["-hide_banner", "-loglevel", "level+warning", "-max_pixels", str(max_pixels)]
    return [*first, *show, *options, "-f", demuxer, "-i", f"file:{os.path.abspath(path)}"]


def run(program: str, arguments: Sequence[str], *, limit_s: float, max_output_bytes: int = 1 << 33) -> Finished:
    """Start a program, read all it says, wait for its end; once more when it was killed by a signal from elsewhere.

    Raises `Rejected`: `timeout` after `limit_s` seconds, `too_large` past `max_output_bytes`, `decode_error` when it was killed twice.
    """
    try:
        return _run_once(program, arguments, limit_s, max_output_bytes)
    except Killed:
        return _run_once(program, arguments, limit_s, max_output_bytes)


def _run_once(program: str, arguments: Sequence[str], limit_s: float, max_output_bytes: int) -> Finished:
    with Process(program, arguments, limit_s=limit_s) as process:
        output = process.read_all(max_output_bytes)
        status = process.finish()
        return process.finished(status, output)


def explain(finished: Finished) -> Rejected:
    """The rejection that a failed run of ffmpeg or ffprobe means, told by what it logged."""
    said = "\n".join(finished.log)
    if "Cannot allocate memory" in said:
        return Rejected("too_large", "it takes more memory to read than the cap allows")
    if "max pixel count" in said or "Picture size" in said:
        return Rejected("too_large", "it claims a picture of more pixels than the cap allows")
    if "moov atom not found" in said:
        return Rejected("truncated", "the file ends before its index (the moov box)")
    if "No such file or directory" in said:
        return Rejected("vanished", "the file is not there any more")
    if "Invalid data found when processing input" in said and "Error opening input" in said or "EBML header parsing failed" in said:
        return Rejected("not_media", "it begins like a video but holds nothing that can be read")
    last = next((line for line in reversed(finished.log) if "[error]" in line or "[fatal]" in line), f"exit status {finished.status}")
    return Rejected("decode_error", f"it could not be read: {last.rpartition('] ')[2].strip()[:200]}")


class Process:
    """One ffmpeg or ffprobe at work. Use as a context manager: leaving it kills what still runs.

    Only time spent waiting for the process counts against `limit_s`, so that a slow consumer kills nothing.
    Standard output and the log are read by one thread in turn, so neither can block the other.
    With `fed` its standard input (`pipe:0`) is what `feed` is given; such a process must not write to its standard output.
    Raises `Rejected("timeout")` when the limit is passed, `Killed` when it died by a signal that was not ours.
    """

    def __init__(self, program: str, arguments: Sequence[str], *, limit_s: float, log_reader: LogReader | None = None, fed: bool = False) -> None:
        self.program = program
        self.log: deque[str] = deque(maxlen=KEPT_LOG_LINES)
        self._limit_s = self._left_s = limit_s
        self._log_reader = log_reader
        self._log_rest = b""
        self._killed = False
        self._popen = _start([*_prefix(), _executable(program), *arguments], subprocess.PIPE if fed else subprocess.DEVNULL)
        self._selector = selectors.DefaultSelector()
        if fed:
            os.set_blocking(self._popen.stdin.fileno(), False)
        for stream in (self._popen.stdout, self._popen.stderr):
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ)
        # Refused to users who have many pipes open; the default size only costs speed.
        with contextlib.suppress(PermissionError):
            fcntl.fcntl(self._popen.stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()
        self._popen.wait()
        self._selector.close()
        self._stop_feeding()
        self._popen.stdout.close()
        self._popen.stderr.close()

    @property
    def pid(self) -> int:
        """Process id; also the id of its group."""
        return self._popen.pid

    def read_into(self, view: memoryview) -> int:
        """Fill `view` from standard output. Fewer bytes than asked for mean that the output has ended."""
        filled = 0
        while filled < len(view) and self._is_open(self._popen.stdout):
            filled += self._pump(view[filled:])
        self._read_log()
        return filled

    def read_all(self, max_bytes: int) -> bytes:
        """All of standard output. Raises `Rejected("too_large")` past `max_bytes`."""
        output, block = bytearray(), memoryview(bytearray(READ_BYTES))
        while self._is_open(self._popen.stdout):
            output += block[: self._pump(block)]
            if len(output) > max_bytes:
                raise Rejected("too_large", f"{self.program} gave more than {max_bytes} bytes for this file")
        return bytes(output)

    def feed(self, data: memoryview) -> bool:
        """Write all of `data` (bytes) to its standard input; False when it takes no more because it has ended or is about to."""
        self._selector.register(self._popen.stdin, selectors.EVENT_WRITE)
        try:
            while len(data):
                ready = self._wait()
                self._read_log()
                if any(key.fileobj is self._popen.stdin for key, _ in ready):
                    data = data[self._popen.stdin.write(data) or 0 :]
            return True
        except BrokenPipeError:
            return False
        finally:
            self._selector.unregister(self._popen.stdin)

    def _stop_feeding(self) -> None:
        if self._popen.stdin is not None:
            self._popen.stdin.close()

    def finish(self) -> int:
        """Wait for the end and return the exit status; its input ends here, output not read yet is dropped."""
        self._stop_feeding()
        block = memoryview(bytearray(READ_BYTES))
        while self._selector.get_map():
            self._pump(block)
        try:
            status = self._popen.wait(timeout=max(self._left_s, 1.0))
        except subprocess.TimeoutExpired:
            self._out_of_time()
        if self._log_rest:
            self._take_line(self._log_rest)
            self._log_rest = b""
        if status < 0 and not self._killed:
            raise Killed(self.program, -status)
        return status

    def finished(self, status: int, output: bytes = b"") -> Finished:
        """What it left, for `explain`."""
        return Finished(output, tuple(self.log), status)

    def kill(self) -> None:
        """End the process and its whole group now; nothing happens when it has ended."""
        if self._popen.poll() is None:
            self._killed = True
            os.killpg(self._popen.pid, signal.SIGKILL)

    def _is_open(self, stream: Any) -> bool:
        return stream in (key.fileobj for key in self._selector.get_map().values())

    def _wait(self) -> list[tuple[selectors.SelectorKey, int]]:
        """The streams that are ready."""
        started = time.monotonic()
        ready = self._selector.select(timeout=max(self._left_s, 0.0))
        self._left_s -= time.monotonic() - started
        if self._left_s <= 0:
            self._out_of_time()
        return ready

    def _pump(self, view: memoryview) -> int:
        ready = self._wait()
        for key, _ in ready:
            if key.fileobj is self._popen.stderr:
                self._read_log()
        if any(key.fileobj is self._popen.stdout for key, _ in ready):
            count = self._popen.stdout.readinto(view)
            if count == 0:
                self._selector.unregister(self._popen.stdout)
            return count or 0
        return 0

    def _read_log(self) -> None:
        while self._is_open(self._popen.stderr):
            text = self._popen.stderr.read(READ_BYTES)
            if text is None:
                return
            if text == b"":
                self._selector.unregister(self._popen.stderr)
                return
            *lines, rest = (self._log_rest + text).replace(b"\r", b"\n").split(b"\n")
            self._log_rest = rest[-LONGEST_LOG_LINE_BYTES:]
            for line in lines:
                self._take_line(line)

    def _take_line(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace")
        if self._log_reader is not None:
            self._log_reader(text)
        if "[error]" in text or "[fatal]" in text or "[warning]" in text:
            self.log.append(text)

    def _out_of_time(self) -> None:
        self.kill()
        raise Rejected("timeout", f"{self.program} had not finished after {self._limit_s:g} s")


_starting = threading.Lock()
_starter: ThreadPoolExecutor | None = None


def search_paths() -> dict[str, str]:
    """Our environment's search paths without empty entries, which mean the working folder, where anybody's library may lie: OpenCV leaves
    one when it is imported."""
    return {name: ":".join(filter(None, os.environ[name].split(":"))) for name in SEARCHED if name in os.environ}


def _environment() -> dict[str, str]:
    """What a process is given of our environment."""
    kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
    return kept | search_paths() | {"LC_ALL": "C", "AV_LOG_FORCE_NOCOLOR": "1"}


def _start(command: list[str], stdin: int) -> subprocess.Popen:
    """Start a process from a thread that lives as long as we do: the kernel's "die with your parent" means the starting thread."""
    global _starter
    with _starting:
        if _starter is None:
            _starter = ThreadPoolExecutor(1, thread_name_prefix="ffmpeg-starter")
        starter = _starter
    environment = _environment()
    process = starter.submit(
        subprocess.Popen,
        command,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        env=environment,
        start_new_session=True,
    ).result()
    # On a GPU the driver reserves far more address space than it uses.
    if "-hwaccel" not in command:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(process.pid, resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    return process


def _forget_starter() -> None:
    """In a forked child the thread is gone and the lock may be held for ever."""
    global _starter, _starting
    _starter, _starting = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_starter)


@lru_cache
def _executable(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise MissingError(f"{program} is not installed: install it with `apt-get install ffmpeg`")
    return path


@lru_cache
def _prefix() -> tuple[str, ...]:
    """Words before the program that make it die with its parent; none where `setpriv` cannot do it."""
    setpriv = shutil.which("setpriv")
    words = (setpriv or "", "--pdeathsig", "KILL")
    if setpriv and subprocess.run([*words, "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0:
        return words
    return ()
