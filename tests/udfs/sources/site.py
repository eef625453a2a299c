"""A web site on this machine that serves files, and misbehaves when asked to."""

import contextlib
import mimetypes
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Site:
    """Serves a folder with ranges. `answers[path]` are statuses for its next requests instead of the file; `cut[path]` are lengths in bytes
    after which its next answers break off (None: they do not). `asked` lists (method, path, range) of all requests,
    `given` what each gave to be let in: query and Authorization."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers: dict[str, list[int]] = {}
        self.cut: dict[str, list[int | None]] = {}
        self.asked: list[tuple[str, str, str | None]] = []
        self.given: list[tuple[str, str | None]] = []
        self.cookies: list[str | None] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextlib.contextmanager
    def open(self) -> Iterator["Site"]:
        """Serve until the end of the block."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self._answer(with_body=False)

            def do_GET(self) -> None:
                self._answer(with_body=True)

            def _answer(self, with_body: bool) -> None:
                path, span = self.path.split("?")[0], self.headers.get("Range")
                site.asked.append((self.command, path, span))
                site.given.append((self.path.partition("?")[2], self.headers.get("Authorization")))
                site.cookies.append(self.headers.get("Cookie"))
                file = site.folder / path.lstrip("/")
                if site.answers.get(path):
                    self.send_error(site.answers[path].pop(0))
                elif not file.is_file():
                    self.send_error(404)
                else:
                    self._send(path, file.read_bytes(), span, with_body)

            def _send(self, path: str, content: bytes, span: str | None, with_body: bool) -> None:
                wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", span or "")
                first = int(wanted[1]) if wanted else 0
                last = int(wanted[2]) if wanted and wanted[2] else len(content) - 1
                if wanted and first >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206 if wanted else 200)
                self.send_header("Content-Type", "application/dash+xml" if path.endswith(".mpd") else mimetypes.guess_type(path)[0] or "text/plain")
                self.send_header("Content-Length", str(last - first + 1))
                if wanted:
                    self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
                self.end_headers()
                if with_body:
                    body = content[first : last + 1]
                    body = body[: site.cut[path].pop(0)] if site.cut.get(path) else body
                    with contextlib.suppress(ConnectionError):
                        self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        return Handler
