"""Downloads of weights, against a server of our own."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from schemas.errors import MissingError, UsageError, VerificationError
from udfs import weights
from udfs.weights_download import download
from udfs.weights_manifest import Weight

CONTENT = bytes(range(256)) * 4096


class Server(ThreadingHTTPServer):
    """Serves `CONTENT` at /weights, with ranges; notes what ranges were asked for."""

    asked: list[str | None] = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        if self.path != "/weights":
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start:])

    def log_message(self, *words: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server(("127.0.0.1", 0), Handler)
    running.asked = []
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def address(server: Server, path: str = "/weights") -> str:
    return f"http://127.0.0.1:{server.server_address[1]}{path}"


@pytest.fixture
def entry(server, tmp_path, monkeypatch) -> Weight:
    """The manifest holds one download, pinned."""
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path / "weights"))
    one = Weight("net", "download", "net.bin", "tests", "MIT", "made here", address(server), bytes=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(weights, "MANIFEST", (one,))
    return one


def test_fetched_weights_are_checked_and_there(entry):
    weights.fetch("net")
    assert weights.path("net").read_bytes() == CONTENT and weights.sha256("net") == entry.sha256
    assert sorted(file.name for file in weights.folder().iterdir()) == ["net.bin", "net.json"]


def test_fetching_again_asks_nothing_of_the_server(entry, server):
    weights.fetch("net")
    weights.fetch("net")
    assert len(server.asked) == 1


def test_interrupted_download_goes_on_where_it_stopped(entry, server):
    weights.folder().mkdir()
    (weights.folder() / "net.part").write_bytes(CONTENT[:1000])
    weights.fetch("net")
    assert server.asked == ["bytes=1000-"] and weights.path("net").read_bytes() == CONTENT


def test_finished_part_is_not_asked_for_again(entry, server):
    weights.folder().mkdir()
    (weights.folder() / "net.part").write_bytes(CONTENT)
    weights.fetch("net")
    assert server.asked == []


def test_other_bytes_than_pinned_are_thrown_away(entry):
    weights.folder().mkdir()
    (weights.folder() / "net.part").write_bytes(b"x" * 1000)
    with pytest.raises(VerificationError, match="hash"):
        weights.fetch("net")
    assert list(weights.folder().iterdir()) == []


def test_wrong_size_is_refused(server, tmp_path):
    with pytest.raises(VerificationError, match="in place of 10"):
        download(address(server), tmp_path / "part", expected_bytes=10, pinned=True)


def test_unreachable_address_is_one_sentence(server, tmp_path):
    with pytest.raises(MissingError, match="could not be fetched"):
        download(address(server, "/elsewhere"), tmp_path / "part", expected_bytes=None, pinned=True)


@pytest.mark.parametrize("bad", ["http://127.0.0.1/x", "file:///etc/hostname", "ftp://127.0.0.1/x"])
def test_unpinned_weights_come_over_https_only(tmp_path, bad):
    with pytest.raises(UsageError, match="https"):
        download(bad, tmp_path / "part", expected_bytes=None, pinned=False)
