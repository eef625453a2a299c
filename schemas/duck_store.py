"""How DuckDB reads a lake in an object store: through Arrow's file system, so that it needs no extension, network or credentials of its own."""

import os
import threading
from typing import TYPE_CHECKING, Any

from schemas import s3
from schemas.place import Place

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyarrow import NativeFile


def reach(engine: "DuckDBPyConnection", place: Place) -> None:
    """Let a connection open `s3://` addresses, where the lake needs it."""
    if place.is_local:
        return
    from fsspec.implementations.arrow import ArrowFSWrapper

    class Store(ArrowFSWrapper):
        protocol = "s3"

        def open(self, path: str, mode: str = "rb", **options: Any) -> "_Reader":
            return _Reader(self.fs.open_input_file(self._strip_protocol(path)))

    engine.register_filesystem(Store(s3.filesystem()))


class _Reader:
    """An object for reading. DuckDB's threads share it, and each seeks before it reads, so that each has a position of its own."""

    def __init__(self, file: "NativeFile") -> None:
        self._file, self._position = file, threading.local()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move this thread's position, in bytes, as `io.IOBase.seek`; returns it."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: self._file.size()}[whence]
        self._position.value = start + offset
        return self._position.value

    def tell(self) -> int:
        """This thread's position in bytes."""
        return getattr(self._position, "value", 0)

    def read(self, size: int = -1) -> bytes:
        """So many bytes from this thread's position on, fewer at the end; all that is left when negative."""
        at = self.tell()
        data = self._file.read_at(self._file.size() - at if size < 0 else size, at)
        self._position.value = at + len(data)
        return data

    def seekable(self) -> bool:
        """Always."""
        return True

    def close(self) -> None:
        """Close the object, for all threads."""
        self._file.close()
