"""Clients of a store wait for one that is away for a while."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from jobs.cli import run_verb
from jobs.job import Job
from jobs.summary import Summary
from schemas import s3
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


def test_a_store_that_does_not_come_back_is_one_sentence_and_exit_3(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(s3, "_PATIENCE", {"max_retries": "0"})
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{probe.getsockname()[1]}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")

    def run(spark: None, lake: Lake, config: None) -> Summary:
        Lake.at("s3a://some-bucket/lake").ledger.open("videos")
        raise AssertionError("it was opened")

    nothing = Job("sql", "", lambda parser: None, lambda args: None, run, needs_spark=lambda config: False, takes_lease=lambda config: False)
    assert run_verb(nothing, ["--lake", str(tmp_path / "lake")]) == 3
    said = capsys.readouterr().err
    assert "does not answer any more" in said and "Traceback" not in said
    assert s3.unreachable(ValueError("Generic S3 error: error sending request")) is None
    assert s3.unreachable(OSError("No space left on device")) is None


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
