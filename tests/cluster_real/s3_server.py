"""A real S3 server for tests: versitygw over a folder, on a port of its own. Buckets are folders of it, objects their files.

`python -m tests.cluster_real.s3_server` builds it where it is not here yet, or says why it cannot be.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

VERSION = "v1.8.0"
PACKAGE = f"github.com/versity/versitygw/cmd/versitygw@{VERSION}"
CACHE = Path.home() / ".cache" / "talkvid" / f"versitygw-{VERSION}"
BUILD_LIMIT_S = 580
KEY, SECRET = "test-key", "test-secret-7b41"


def built() -> Path | None:
    """The server's program, if it was built or installed before."""
    ours = CACHE / "versitygw"
    return ours if ours.exists() else Path(found) if (found := shutil.which("versitygw")) else None


def lacking() -> str:
    """Why there is no server's program, or nothing: it is built by Go when it is not here (minutes, and the Go proxy)."""
    if built() is not None:
        return ""
    if shutil.which("go") is None:
        return "needs versitygw on the path, or Go to build it"
    try:
        answer = subprocess.run(["go", "install", PACKAGE], env=os.environ | {"GOBIN": str(CACHE)}, capture_output=True, text=True, timeout=BUILD_LIMIT_S)
    except subprocess.TimeoutExpired:
        return f"go install took more than {BUILD_LIMIT_S} s"
    return f"go install failed: {answer.stderr.strip().splitlines()[-1:]}" if answer.returncode else ""


def binary() -> Path:
    """The server's program, built when it is not here. Skips the test that asks when that cannot be."""
    if reason := lacking():
        pytest.skip(f"no S3 server here: {reason}")
    return built() or CACHE / "versitygw"


class S3Server:
    """The server over `folder`. `prefix` are words before its command, such as `ip netns exec NODE`."""

    def __init__(self, folder: Path, host: str = "127.0.0.1", port: int = 0, prefix: tuple[str, ...] = (), secret: str = SECRET) -> None:
        self.folder, self.host, self.port, self.prefix, self.secret = folder, host, port or _free_port(), prefix, secret
        folder.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a client of it needs."""
        address = f"http://{self.host}:{self.port}"
        return {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": self.secret, "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": address}

    def bucket(self, name: str) -> Path:
        """Make a bucket (3 or more letters); returns its folder."""
        (self.folder / name).mkdir(exist_ok=True)
        return self.folder / name

    def start(self) -> "S3Server":
        """Start it, again on the same port, and wait until it answers."""
        words = [*self.prefix, str(binary()), "--port", f"{self.host}:{self.port}", "--region", "us-east-1", "--quiet", "posix", str(self.folder)]
        own = {"ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": self.secret}
        with open(f"{self.folder}.log", "ab") as log:
            self._process = subprocess.Popen(words, env=os.environ | own, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        for _ in range(100):
            if self._answers():
                return self
            time.sleep(0.1)
        raise RuntimeError(f"versitygw did not start; see {self.folder}.log")

    def _answers(self) -> bool:
        """True when it takes connections, asked from where it runs."""
        ask = [*self.prefix, sys.executable, "-c", f"import socket; socket.create_connection(({self.host!r}, {self.port}), timeout=1).close()"]
        return subprocess.run(ask, capture_output=True, check=False).returncode == 0

    def hold(self) -> None:
        """Let it stand still: whoever asks waits."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """After `hold`, or without it."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGCONT)

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


@contextmanager
def serving(folder: Path, secret: str = SECRET) -> Iterator[S3Server]:
    """A server with the bucket `lake-bucket`, and this process's environment pointing to it."""
    server = S3Server(folder, secret=secret).start()
    server.bucket("lake-bucket")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3"):
            patch.delenv(name, raising=False)
        for name, value in server.environment.items():
            patch.setenv(name, value)
        try:
            yield server
        finally:
            server.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    if reason := lacking():
        print(f"no S3 server here: {reason}")
