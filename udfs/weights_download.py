"""Downloads of weights: resumable, bounded in size, and safe from a changed address (law 11: `weights fetch` only)."""

import sys
import time
import urllib.error
import urllib.request
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
        request = urllib.request.Request(address, headers={"Range": f"bytes={done}-"} if done else {})
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
                _refuse_unsafe(answer.url, pinned)
                resumed = answer.status == 206
                with open(part, "ab" if resumed else "wb") as file:
                    _pour(answer, file, expected_bytes)
        except (urllib.error.URLError, OSError) as error:
            raise MissingError(f"{address} could not be fetched ({error}); what came is kept, run it again to go on") from error
    if expected_bytes is not None and part.stat().st_size != expected_bytes:
        size = part.stat().st_size
        if size > expected_bytes:
            part.unlink()
        raise VerificationError(f"{address} gave {size} bytes in place of {expected_bytes}; run it again to go on")


def _refuse_unsafe(address: str, pinned: bool) -> None:
    scheme = address.partition(":")[0].lower()
    if scheme != "https" and not (scheme == "http" and pinned):
        raise UsageError(f"{address} is not an https address, and its contents are not pinned by a hash")


def _pour(answer: IO[bytes], file: IO[bytes], expected_bytes: int | None) -> None:
    limit, said = expected_bytes or _MAX_BYTES, time.monotonic()
    while chunk := answer.read(_CHUNK):
        file.write(chunk)
        if file.tell() > limit:
            return
        if time.monotonic() - said > _SAY_EVERY_S:
            said = time.monotonic()
            print(f"{file.tell() >> 20} MiB of {(expected_bytes or 0) >> 20 or '?'}", file=sys.stderr)
