"""Downloads of weights, against a server of our own."""

import hashlib
import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch

from schemas.errors import MissingError, UsageError, VerificationError
from udfs import weights
from udfs.nets import expected
from udfs.weights_download import download
from udfs.weights_manifest import Weight

CONTENT = bytes(range(256)) * 4096


class Server(ThreadingHTTPServer):
    """Serves `content` at /weights, with ranges; notes what ranges were asked for. It breaks off `lost` bytes before the end."""

    asked: list[str | None] = []
    content = CONTENT
    lost = 0


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        if self.path != "/weights":
            self.send_error(404)
            return
        start, content = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0, self.server.content
        if asked and start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : len(content) - self.server.lost])

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


@pytest.fixture
def unpinned(server, tmp_path, monkeypatch) -> Weight:
    """The manifest holds one checkpoint whose bytes nobody published; the test's server may send it over plain http."""
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr("udfs.weights_download._refuse_unsafe", lambda address, pinned: None)
    monkeypatch.setattr(expected, "shapes", lambda name: {"weight": (300, 300)})
    one = Weight("net", "download", "net.pth", "tests", "MIT", "made here", address(server), holds="net")
    monkeypatch.setattr(weights, "MANIFEST", (one,))
    return one


@pytest.fixture(scope="module")
def checkpoint() -> bytes:
    file = io.BytesIO()
    torch.save({"weight": torch.zeros(300, 300)}, file)
    return file.getvalue()


@pytest.mark.parametrize("length", [100, 500_000])
def test_what_is_refused_is_thrown_away_and_fetched_anew(unpinned, server, checkpoint, length):
    server.content = b"<html>".ljust(length)
    with pytest.raises(VerificationError, match="sent for net was thrown away: .*no checkpoint"):
        weights.fetch("net")
    assert list(weights.folder().iterdir()) == []
    server.content = checkpoint
    weights.fetch("net")
    assert weights.path("net").read_bytes() == checkpoint and server.asked == [None, None]


def test_a_part_longer_than_the_file_is_begun_anew(unpinned, server, checkpoint):
    weights.folder().mkdir()
    (weights.folder() / "net.part").write_bytes(b"x" * 500_000)
    server.content = checkpoint
    weights.fetch("net")
    assert weights.path("net").read_bytes() == checkpoint and server.asked == ["bytes=500000-", None]


def test_a_whole_part_of_unknown_size_is_taken(unpinned, server, checkpoint):
    weights.folder().mkdir()
    (weights.folder() / "net.part").write_bytes(checkpoint)
    server.content = checkpoint
    weights.fetch("net")
    assert weights.path("net").read_bytes() == checkpoint and server.asked == [f"bytes={len(checkpoint)}-"]


def test_a_connection_that_ends_early_is_gone_on_with(unpinned, server, checkpoint):
    server.content, server.lost = checkpoint, 1000
    with pytest.raises(MissingError, match="ended 1000 bytes early.*run it again to go on"):
        weights.fetch("net")
    server.lost = 0
    weights.fetch("net")
    assert weights.path("net").read_bytes() == checkpoint and server.asked == [None, f"bytes={len(checkpoint) - 1000}-"]


@pytest.mark.parametrize("bad", ["http://127.0.0.1/x", "file:///etc/hostname", "ftp://127.0.0.1/x"])
def test_unpinned_weights_come_over_https_only(tmp_path, bad):
    with pytest.raises(UsageError, match="https"):
        download(bad, tmp_path / "part", expected_bytes=None, pinned=False)
