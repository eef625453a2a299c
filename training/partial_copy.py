"""Of a Parquet file in a store only what one reader needs, on the local disk: some columns of some row groups.

The copy is as long as the file and has these bytes and the footer where the file has them; the rest are holes, which take no room and are never read.
"""

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas import storage
from schemas.codes import Rejected
from schemas.scratch import own, scratch_folder
from udfs.staging import COPY_BYTES, KEPT_FREE_BYTES, local_path, staged

TAIL_BYTES = 8
"""Length of the footer, and the letters PAR1."""
JOINED_BYTES = 256 << 10
"""Ranges that are no further apart are fetched as one."""

Range = tuple[int, int]
"""First byte, and the byte after the last."""


@contextmanager
def partly_staged(uri: str, row_groups: Collection[int], columns: Collection[str]) -> Iterator[Path]:
    """A local path under which these columns of these row groups can be read, for as long as the block lasts. Local files are used where they lie.

    Raises `Rejected` as `udfs.staging.staged` does; a file that is no Parquet is fetched whole, for the reader to say so.
    """
    if local_path(uri) is not None:
        with staged(uri) as path:
            yield path
        return
    with tempfile.TemporaryDirectory(prefix=own(), dir=scratch_folder()) as folder:
        target = Path(folder, uri.rpartition("/")[2])
        try:
            with storage.open_file(uri) as source, open(target, "wb") as copy:
                copy_part(source, source.size(), copy, row_groups, columns)
        except FileNotFoundError:
            raise Rejected("vanished", "the object is not there any more") from None
        except OSError as error:
            raise Rejected("download_failed", f"the object could not be read: {str(error).partition(chr(10))[0][:200]}") from error
        yield target


def copy_part(source: Any, size: int, copy: Any, row_groups: Collection[int], columns: Collection[str]) -> None:
    """Copy what is needed from a seekable file of `size` bytes into an empty one. Raises `Rejected` where it does not fit, or less arrives."""
    wanted = ranges(source, size, row_groups, columns)
    if sum(end - first for first, end in wanted) > shutil.disk_usage(os.path.dirname(copy.name)).free - KEPT_FREE_BYTES:
        raise Rejected("too_large", f"{sum(end - first for first, end in wanted)} bytes of the object do not fit on the scratch disk")
    copy.truncate(size)
    for first, end in wanted:
        source.seek(first)
        copy.seek(first)
        while copy.tell() < end:
            data = source.read(min(COPY_BYTES, end - copy.tell()))
            if not data:
                raise Rejected("download_failed", f"only {copy.tell()} of the object's {size} bytes arrived")
            copy.write(data)


def ranges(source: Any, size: int, row_groups: Collection[int], columns: Collection[str]) -> list[Range]:
    """The bytes of the file that are needed, in order; all of them for what is no Parquet file, or holds no such row group."""
    try:
        footer = pq.ParquetFile(source).metadata
        chunks = [footer.row_group(group).column(number) for group in sorted(row_groups) for number in range(footer.num_columns)]
    except (pa.ArrowException, IndexError, RuntimeError):
        return [(0, size)]
    source.seek(size - TAIL_BYTES)
    start_of_footer = size - TAIL_BYTES - int.from_bytes(source.read(4), "little")
    found = [(0, 4), (start_of_footer, size)]
    for chunk in chunks:
        if chunk.path_in_schema.partition(".")[0] in columns:
            first = min(offset for offset in (chunk.dictionary_page_offset, chunk.data_page_offset) if offset)
            found.append((first, first + chunk.total_compressed_size))
    return _joined(sorted(found))


def _joined(found: list[Range]) -> list[Range]:
    joined = [found[0]]
    for first, end in found[1:]:
        if first <= joined[-1][1] + JOINED_BYTES:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((first, end))
    return joined
