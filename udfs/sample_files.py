"""Rows of `samples` as they leave a worker: written to files below the table at once, so that only names cross to the driver (law 1)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from schemas.codes import Rejected
from schemas.row_groups import FILE_BYTES, row_bytes, write_file
from schemas.tables import TABLES

ROWS = pa.schema([("clip_id", pa.string()), ("file", pa.string()), ("bytes", pa.int64()), ("rows", pa.int64()), ("code", pa.string()), ("detail", pa.string())])
"""Result rows: the file that holds a clip's sample, its size and number of rows; or the code and the sentence of a failure."""

Result = tuple[int, list[dict[str, Any]]]


@dataclass
class SampleFiles:
    """Collects rows until they fill a file below `root`, the address of `samples`. Results come when their file is there."""

    root: str
    file_bytes: int = FILE_BYTES
    _waiting: list[tuple[int, pa.Table]] = field(default_factory=list)
    _bytes: int = 0

    def put(self, index: int, row: dict[str, Any]) -> Iterator[Result]:
        """Take the row of item `index`; yields the results of all that wait once they fill a file."""
        table = pa.Table.from_pylist([row], schema=TABLES["samples"].schema)
        self._waiting.append((index, table))
        self._bytes += sum(row_bytes(table))
        if self._bytes >= self.file_bytes:
            yield from self.close()

    def close(self) -> Iterator[Result]:
        """Write what waits; yields its results."""
        if self._waiting:
            rows = pa.concat_tables([row for _, row in self._waiting])
            written = write_file(self.root, "samples", rows)
            ids = rows["clip_id"].to_pylist()
            for (index, _), clip_id in zip(self._waiting, ids, strict=True):
                yield index, [{"clip_id": clip_id, "file": written.file, "bytes": written.bytes, "rows": written.rows, "code": None, "detail": None}]
            self._waiting, self._bytes = [], 0


def failed(clip_id: str, rejection: Rejected) -> list[dict[str, Any]]:
    """The result row of a clip that gave no sample."""
    return [{"clip_id": clip_id, "file": None, "bytes": None, "rows": None, "code": rejection.code, "detail": rejection.detail}]
