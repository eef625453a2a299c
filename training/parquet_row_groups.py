"""Row groups of Parquet files with the attributes that Petastorm's reader and workers use, read lazily through Arrow.

They stand in for `ParquetDataset` and `ParquetDatasetPiece`, which pyarrow no longer has in that form (fact sheet: stack.md §2).
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cached_property, lru_cache
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from pyarrow.fs import LocalFileSystem as ArrowLocalFileSystem

from schemas.errors import TalkvidError

FOOTERS_KEPT = 256


@contextmanager
def _parquet_file(filesystem: AbstractFileSystem, path: str, footer: pq.FileMetaData | None = None) -> Iterator[pq.ParquetFile]:
    """The open file; page checksums are verified where the writer left any. What Arrow cannot read becomes a `TalkvidError` with the path."""
    local = isinstance(filesystem, LocalFileSystem)
    with ArrowLocalFileSystem().open_input_file(path) if local else filesystem.open(path, "rb") as source:
        try:
            yield pq.ParquetFile(source, metadata=footer, pre_buffer=not local, page_checksum_verification=True)
        except (pa.ArrowException, OSError) as error:
            raise TalkvidError(f"{path} cannot be read, the Parquet file is damaged: {error}") from error


@lru_cache(FOOTERS_KEPT)
def _footer(filesystem: AbstractFileSystem, path: str, state: str) -> tuple[pq.FileMetaData, pa.Schema]:
    """Footer and plain schema of a file; `state` changes whenever the file does."""
    with _parquet_file(filesystem, path) as file:
        return file.metadata, _plain_schema(file.schema_arrow)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """The type Petastorm knows for the same values: it would drop large, view, fixed-size-list and dictionary columns with a warning."""
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(_plain_type(kind.value_type)))
    return kind


def _plain_schema(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field.with_type(_plain_type(field.type)) for field in schema])


def in_one_chunk(table: pa.Table) -> pa.Table:
    """The table with one chunk per column: Petastorm takes the first chunk of every column and leaves the rest.

    Raises `ValueError` for a column that does not fit into one chunk (2 GiB of strings or bytes).
    """
    if any(column.num_chunks > 1 for column in table.columns):
        table = table.combine_chunks()
    too_large = [name for name, column in zip(table.column_names, table.columns) if column.num_chunks > 1]
    if too_large:
        raise ValueError(f"a row group holds more than 2 GiB in one column ({', '.join(too_large)}): write smaller row groups")
    return table


class RowGroupPath(str):
    """Path of a file that stands for one row group of it: a list of them is read in its own order, each group by itself.

    Lists of numbers arrive as their bytes: Petastorm takes a column's lists only when all are equally long.
    """

    row_group: int

    def __new__(cls, path: str, row_group: int) -> "RowGroupPath":
        """The path of one row group, counted from 0, of the file at `path`."""
        made = super().__new__(cls, path)
        made.row_group = row_group
        return made


def _bytes_of_lists(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of lists of numbers, none of them null, as the bytes of each list, without copying the numbers."""

    def joined(lists: pa.ListArray) -> pa.Array:
        values, offsets = lists.flatten(), lists.offsets.to_numpy()
        width = values.type.bit_width // 8
        if values.null_count or len(values) * width >= 2**31:
            raise ValueError("lists with nulls in them, or of more than 2 GiB, cannot be read as bytes")
        places = pa.array((offsets - offsets[0]).astype("int32") * width)
        start = values.offset * width
        return pa.Array.from_buffers(pa.binary(), len(lists), [None, places.buffers()[1], values.buffers()[1].slice(start)])

    return pa.chunked_array([joined(chunk) for chunk in column.chunks], pa.binary())


def _without_lists(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field.with_type(pa.binary()) if pa.types.is_list(field.type) else field for field in schema])


class ParquetDatasetPiece:
    """A Parquet file or, with `row_group`, one row group of it; pickles, since each worker gets the list of all."""

    def __init__(self, path: str, open_file_func: Callable, row_group: int | None = None, partition_keys: Collection = ()) -> None:
        self.path = path
        self.row_group = path.row_group if isinstance(path, RowGroupPath) else row_group
        self.partition_keys = partition_keys
        self._filesystem: AbstractFileSystem = open_file_func.__self__

    def _footer(self) -> tuple[pq.FileMetaData, pa.Schema]:
        return _footer(self._filesystem, self.path, self._filesystem.ukey(self.path))

    def get_metadata(self) -> SimpleNamespace:
        """The file's `num_row_groups` and `schema.to_arrow_schema()`, in plain types. A `RowGroupPath` has one; its file is not opened for that."""
        if isinstance(self.path, RowGroupPath):
            return SimpleNamespace(num_row_groups=1, schema=SimpleNamespace(to_arrow_schema=lambda: _without_lists(self._footer()[1])))
        footer, schema = self._footer()
        return SimpleNamespace(num_row_groups=footer.num_row_groups, schema=SimpleNamespace(to_arrow_schema=lambda: schema))

    def read(self, columns: Collection[str], partitions: None = None) -> pa.Table:
        """These columns of the row group, in the file's order and in plain types, one chunk each. `KeyError` when one is not there."""
        footer, schema = self._footer()
        missing = set(columns) - set(schema.names)
        if missing:
            raise KeyError(f"{self.path} has no column {', '.join(sorted(missing))}")
        with _parquet_file(self._filesystem, self.path, footer) as file:
            table = file.read_row_group(self.row_group, columns=[name for name in schema.names if name in columns], use_threads=False)
        plain = in_one_chunk(table.cast(_plain_schema(table.schema)))
        if not isinstance(self.path, RowGroupPath):
            return plain
        columns = [_bytes_of_lists(column) if pa.types.is_list(column.type) else column for column in plain.columns]
        return pa.Table.from_arrays(columns, schema=_without_lists(plain.schema))


class ParquetDataset:
    """Files in the order given, or the files below a folder by name; nothing is read before it is asked for.

    A folder that is a Delta table is refused (its files hold deleted rows), and so are partition folders and `filters`.
    """

    partitions = None

    def __init__(self, path_or_paths: str | list[str], filesystem: AbstractFileSystem, filters: None = None, **_ignored: Any) -> None:
        if filters is not None:
            raise ValueError("Petastorm's filters never reach the rows: select the rows where the list of files is made")
        self.fs = filesystem
        self.paths = path_or_paths
        self.metadata_path = None if isinstance(path_or_paths, list) else f"{path_or_paths}/_metadata"

    @cached_property
    def pieces(self) -> list[ParquetDatasetPiece]:
        """One piece per file."""
        return [ParquetDatasetPiece(path, open_file_func=self.fs.open) for path in self._files()]

    def _files(self) -> list[str]:
        if isinstance(self.paths, list):
            return self.paths
        if not self.fs.isdir(self.paths):
            return [self.paths]
        if self.fs.exists(f"{self.paths}/_delta_log"):
            raise ValueError(f"{self.paths} is a Delta table, whose folder also holds deleted rows: give the list of files of one version")
        below = {path: path.removeprefix(self.paths).strip("/").split("/") for path in sorted(self.fs.find(self.paths))}
        partitioned = [path for path, parts in below.items() if any("=" in part for part in parts)]
        if partitioned:
            raise ValueError(f"{partitioned[0]} lies in a partition folder, whose column Petastorm would have to guess: give a list of files")
        return [path for path, parts in below.items() if not any(part.startswith(("_", ".")) for part in parts)]

    def _summary(self, name: str) -> pq.FileMetaData | None:
        """A summary file of a folder that Petastorm itself wrote, or None."""
        path = f"{self.paths}/{name}"
        if isinstance(self.paths, list) or not self.fs.exists(path):
            return None
        with _parquet_file(self.fs, path) as file:
            return file.metadata

    @cached_property
    def metadata(self) -> pq.FileMetaData | None:
        """The folder's `_metadata`, if there."""
        return self._summary("_metadata")

    @cached_property
    def common_metadata(self) -> pq.FileMetaData | None:
        """The folder's `_common_metadata`, if there."""
        return self._summary("_common_metadata")
