"""Downloads of weights: resumable, bounded in size, and safe from a changed address (law 11: `weights fetch` only)."""

import sys
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO

from schemas.errors import MissingError, UsageError, VerificationError

_CHUNK = 1 << 20
_TIMEOUT_S = 60
_MAX_BYTES = 8 << 30
_SAY_EVERY_S = 10


def download(address: str, part: Path, *, expected_bytes: int | None, pinned: bool) -> None:
    """Get `address` into `part`, going on where an interrupted download stopped.

    Plain http is taken only where the caller knows the hash (`pinned`). Raises `UsageError` for another kind of address,
    `MissingError` when it cannot be reached, `VerificationError` when the size is not `expected_bytes`.
    """
    _refuse_unsafe(address, pinned)
    done = part.stat().st_size if part.exists() else 0
    if done != expected_bytes:
        try:
            _go_on(address, part, done, expected_bytes, pinned)
        except (OSError, HTTPException) as error:
            raise MissingError(f"{address} could not be fetched ({error}); what came is kept, run it again to go on") from error
    if expected_bytes is not None and part.stat().st_size != expected_bytes:
        size = part.stat().st_size
        if size > expected_bytes:
            part.unlink()
        raise VerificationError(f"{address} gave {size} bytes in place of {expected_bytes}; run it again to go on")


def _go_on(address: str, part: Path, done: int, expected_bytes: int | None, pinned: bool) -> None:
    """Add what `part` lacks of `address` to its first `done` bytes. Raises `OSError` or `HTTPException` when that fails midway."""
    request = urllib.request.Request(address, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not done:
            raise
        if error.headers.get("Content-Range") != f"bytes */{done}":  # else there is no more: the part is whole
            part.unlink()
            _go_on(address, part, 0, expected_bytes, pinned)
        return
    with answer:
        _refuse_unsafe(answer.url, pinned)
        with open(part, "ab" if answer.status == HTTPStatus.PARTIAL_CONTENT else "wb") as file:
            whole = _pour(answer, file, expected_bytes)
        if whole and answer.length:
            raise ConnectionError(f"the connection ended {answer.length} bytes early")


def _refuse_unsafe(address: str, pinned: bool) -> None:
    scheme = address.partition(":")[0].lower()
    if scheme != "https" and not (scheme == "http" and pinned):
        raise UsageError(f"{address} is not an https address, and its contents are not pinned by a hash")


def _pour(answer: HTTPResponse, file: IO[bytes], expected_bytes: int | None) -> bool:
    """False when it stopped because there was too much."""
    limit, said = expected_bytes or _MAX_BYTES, time.monotonic()
    while chunk := answer.read(_CHUNK):
        file.write(chunk)
        if file.tell() > limit:
            return False
        if time.monotonic() - said > _SAY_EVERY_S:
            said = time.monotonic()
            print(f"{file.tell() >> 20} MiB of {(expected_bytes or 0) >> 20 or '?'}", file=sys.stderr)
    return True
