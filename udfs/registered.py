"""Whether a file is still the one that was registered as a video: told by its size, then by its modification time, then by its bytes."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from schemas.codes import Rejected

_SHA256: dict[tuple[str, int, int | None], str] = {}
"""Hashes that this process has made, by address, size and modification time."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A video's file as `ingest` saw it.

    `mtime_ns` is None for media that the lake copied or fetched: such a file is unchanged when it is no younger than `ingested_ns`.
    """

    bytes: int
    sha256: str
    mtime_ns: int | None = None
    ingested_ns: int | None = None

    @classmethod
    def read(cls, line: str | None) -> "Registered | None":
        """From the line that goes with a work item (`schemas.videos.REGISTERED`); None where nothing is known."""
        if not line:
            return None
        size, mtime, ingested, sha256 = line.split(":")
        return cls(int(size), sha256, int(mtime) if mtime else None, int(ingested) if ingested else None)

    def check_size(self, size: int) -> None:
        """Raises `Rejected` for a file of another size."""
        if size != self.bytes:
            raise Rejected("vanished", f"the file is another one than was registered ({self.bytes} bytes then, {size} now); ingest it again")

    def check(self, address: str, file: Path, size: int, mtime_ns: int | None, tick_ns: int = 1) -> None:
        """Raises `Rejected` when `file`, the local form of what lies at `address`, is another one.

        Only one that may have been written since is read, once in a process. `tick_ns`: how exactly modification times are told there.
        """
        self.check_size(size)
        if not self._may_be_younger(mtime_ns, tick_ns):
            return
        key = (address, size, mtime_ns)
        if key not in _SHA256:
            _SHA256[key] = digest(file)
        if _SHA256[key] != self.sha256:
            raise Rejected("vanished", f"the file is another one than was registered, of the same {size} bytes; ingest it again")

    def _may_be_younger(self, mtime_ns: int | None, tick_ns: int) -> bool:
        if mtime_ns is None:
            return True
        if self.mtime_ns is not None:
            return mtime_ns // tick_ns != self.mtime_ns // tick_ns
        return self.ingested_ns is not None and mtime_ns > self.ingested_ns


def check_file(path: Path, registered: Registered | None, *, by_size: bool = False) -> None:
    """Raises `Rejected` when a local file is not there, or not as it was registered; `by_size` looks no closer than at its size."""
    try:
        status = os.stat(path)
        if registered is not None and by_size:
            registered.check_size(status.st_size)
        elif registered is not None:
            registered.check(str(path), path, status.st_size, status.st_mtime_ns)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise Rejected("vanished", "the file is not there any more") from None
    except OSError as error:
        raise Rejected("vanished", f"the file cannot be read: {error.strerror}") from None


def digest(path: str | os.PathLike) -> str:
    """sha256 of a file's bytes, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
