"""Clients of a store wait for one that is away for a while."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from schemas.errors import MissingError
from schemas.lake import Lake

AWAY_S = 5.0


class _Empty(BaseHTTPRequestHandler):
    """Nothing is here."""

    def do_GET(self) -> None:
        listing = b'<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>'
        found = "list-type" in self.path
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(listing) if found else 0))
        self.end_headers()
        self.wfile.write(listing if found else b"")

    do_HEAD = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        return


def test_a_table_is_looked_for_until_the_store_is_back(monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for name, value in {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}.items():
        monkeypatch.setenv(name, value)
    started: list[HTTPServer] = []

    def start() -> None:
        started.append(HTTPServer(("127.0.0.1", port), _Empty))
        started[0].serve_forever()

    later = threading.Timer(AWAY_S, start)
    later.start()
    try:
        with pytest.raises(MissingError, match="there is no table videos"):
            Lake.at("s3a://some-bucket/lake").ledger.open("videos")
    finally:
        later.cancel()
        for server in started:
            server.shutdown()
            server.server_close()
    assert started
