"""Tables whose Parquet row groups hold about equally many bytes: what a reader takes at once, and what ranks share out.

Whoever computes rows writes whole files below the table, and the driver commits them: neither delta-rs nor Spark cuts row groups by bytes.
A file that was never committed is invisible, and goes with the next vacuum.
"""

import json
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from schemas import storage
from schemas.columns import all_columns, conformed
from schemas.commits import commit
from schemas.ledger import Ledger
from schemas.tables import TABLES

if TYPE_CHECKING:
    from deltalake.transaction import AddAction, RemoveAction

GROUP_BYTES = 16 << 20
FILE_BYTES = 4 * GROUP_BYTES
"""Files are closed when they are this large, and smaller ones are joined."""
SMALL_BYTES = 3 * GROUP_BYTES
MANY_SMALL = 48


@dataclass(frozen=True)
class Written:
    """A file of a table: its name below the table's root, its bytes and rows."""

    file: str
    bytes: int
    rows: int


@dataclass(frozen=True)
class Place:
    """A row of a table: its key, its file below the table's root, its row group, and its number in that."""

    key: str
    file: str
    group: int
    row: int


def write_file(root: str, table: str, rows: pa.Table, group_bytes: int = GROUP_BYTES) -> Written:
    """Write rows of `table` (columns matched by name, missing ones null, those that are not declared last) as one file below `root`, the table's
    address, in even row groups.

    Rows are sorted by the table's key, so that the same rows lie in the same order whoever finished first.
    """
    from pyarrow.parquet import ParquetWriter

    schema = all_columns(TABLES[table].schema, rows.schema)
    whole = conformed(rows, schema).sort_by(TABLES[table].key[0])
    large = [field.name for field in schema if pa.types.is_binary(field.type)]
    plain = [field.name for field in schema if not pa.types.is_binary(field.type) and not pa.types.is_list(field.type)]
    name = f"part-{secrets.token_hex(16)}.parquet"
    compression = {f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name: "snappy" for field in schema} | dict.fromkeys(large, "none")
    address = storage.at(root, name)
    with storage.writing(address) as file, ParquetWriter(file, schema, compression=compression, use_dictionary=plain, write_statistics=plain) as writer:
        for group in even_groups(row_bytes(whole), group_bytes):
            writer.write_table(whole.take(group), row_group_size=len(group))
    return Written(name, storage.size(address), rows.num_rows)


def row_bytes(rows: pa.Table) -> list[int]:
    """About how many bytes each row takes: its binary values and lists."""
    total = pa.array([0] * rows.num_rows, pa.int64())
    for name, field in zip(rows.column_names, rows.schema, strict=True):
        if pa.types.is_binary(field.type):
            sizes = pc.binary_length(rows[name])
        elif pa.types.is_list(field.type):
            sizes = pc.multiply(pc.list_value_length(rows[name]), field.type.value_type.bit_width // 8)
        else:
            continue
        total = pc.add(total, pc.fill_null(pc.cast(sizes, pa.int64()), 0))
    return total.to_pylist()


def even_groups(sizes: Sequence[int], group_bytes: int = GROUP_BYTES) -> list[list[int]]:
    """Indices of rows in groups of about equally many bytes, each about `group_bytes`; a row that is larger stands alone.

    The largest rows are placed first, each in the lightest group.
    """
    left = [index for index in range(len(sizes)) if sizes[index] < group_bytes]
    groups = [[index] for index in range(len(sizes)) if sizes[index] >= group_bytes]
    count = max(1, round(sum(sizes[index] for index in left) / group_bytes)) if left else 0
    filled: list[list[int]] = [[] for _ in range(min(count, len(left)))]
    loads = [0] * len(filled)
    for index in sorted(left, key=lambda index: (-sizes[index], index)):
        lightest = loads.index(min(loads))
        filled[lightest].append(index)
        loads[lightest] += sizes[index]
    return groups + [sorted(group) for group in filled]


class GroupedTable:
    """One such table of a lake, as the driver commits it. Rows are told apart by the first column of the table's key."""

    def __init__(self, ledger: Ledger, table: str) -> None:
        self._ledger, self._table = ledger, table
        self._key = TABLES[table].key[0]
        self.root = ledger.place.table(table)

    def commit(self, added: Iterable[Written], dropped: Collection[str] = ()) -> int:
        """Add files and take out the rows with the keys `dropped` of older ones, in one commit; returns how many rows went.

        Files that lose some of their rows are written again without them.
        """
        added, went = list(added), 0
        actions: list[AddAction | RemoveAction] = [_add(written) for written in added]
        for old in self._files() if dropped else ():
            gone = pc.is_in(self._read(old, [self._key])[self._key], pa.array(list(dropped), pa.string()))
            lost = pc.sum(gone).as_py() or 0
            if not lost:
                continue
            went += lost
            actions.append(_remove(old))
            if lost < old.rows:
                actions.append(_add(write_file(self.root, self._table, self._read(old).filter(pc.invert(gone)))))
        self._write(actions)
        return went

    def level(self) -> None:
        """Join small files, and cut them into even row groups; with what is too little for a file goes the smallest of the others."""
        files = sorted(self._files(), key=lambda file: (file.bytes, file.file))
        joined = [file for file in files if file.bytes < SMALL_BYTES]
        if joined and sum(file.bytes for file in joined) < FILE_BYTES and len(files) > len(joined):
            joined.append(files[len(joined)])
        if len(joined) < 2:
            return
        count = max(1, sum(file.bytes for file in joined) // FILE_BYTES)
        shares: list[list[Written]] = [[] for _ in range(count)]
        for file in reversed(joined):
            min(shares, key=lambda share: sum(member.bytes for member in share)).append(file)
        for share in shares:
            if len(share) > 1:
                rows = pa.concat_tables([self._read(file) for file in sorted(share, key=lambda file: file.file)], promote_options="default")
                self._write([_add(write_file(self.root, self._table, rows), change=False), *(_remove(file, change=False) for file in share)])

    def level_when_many(self) -> None:
        """`level`, once there are more than `MANY_SMALL` small files."""
        if sum(1 for file in self._files() if file.bytes < SMALL_BYTES) > MANY_SMALL:
            self.level()

    def change(self, keys: Collection[str], changed: Callable[[pa.Table], pa.Table]) -> None:
        """Put `changed(rows)` in the place of all rows of each file that holds any of `keys`; a commit for each file."""
        for old in self._files() if keys else ():
            if pc.any(pc.is_in(self._read(old, [self._key])[self._key], pa.array(list(keys), pa.string()))).as_py():
                self._write([_add(write_file(self.root, self._table, changed(self._read(old)))), _remove(old)])

    def places(self, keys: Collection[str]) -> list[Place]:
        """Where the rows of `keys` lie, file by file."""
        from pyarrow.parquet import ParquetFile

        wanted, found = set(keys), []
        for written in self._files() if wanted else ():
            with storage.open_file(storage.at(self.root, written.file)) as stream:
                file = ParquetFile(stream)
                for group in range(file.num_row_groups):
                    names = file.read_row_group(group, [self._key])[self._key].to_pylist()
                    found += [Place(name, written.file, group, row) for row, name in enumerate(names) if name in wanted]
        return found

    def row_group_bytes(self) -> list[int]:
        """Stored bytes of every row group of the newest snapshot."""
        from pyarrow.parquet import ParquetFile

        found = []
        for written in self._files():
            with storage.open_file(storage.at(self.root, written.file)) as file:
                footer = ParquetFile(file).metadata
                found += [
                    sum(footer.row_group(group).column(column).total_compressed_size for column in range(footer.num_columns))
                    for group in range(footer.num_row_groups)
                ]
        return found

    def _files(self) -> list[Written]:
        actions = pa.table(self._ledger.open(self._table).get_add_actions(flatten=True))
        return [Written(row["path"], row["size_bytes"], row["num_records"]) for row in actions.select(["path", "size_bytes", "num_records"]).to_pylist()]

    def _read(self, written: Written, columns: list[str] | None = None) -> pa.Table:
        from pyarrow.parquet import ParquetFile

        with storage.open_file(storage.at(self.root, written.file)) as file:
            return ParquetFile(file).read(columns)

    def _write(self, actions: "Sequence[AddAction | RemoveAction]") -> None:
        if actions:
            opened = self._ledger.open(self._table)
            write = partial(opened.create_write_transaction, list(actions), "append", opened.schema())
            commit(self._ledger.place, opened, lambda properties: write(commit_properties=properties))


def _add(written: Written, change: bool = True) -> "AddAction":
    from deltalake.transaction import AddAction

    return AddAction(written.file, written.bytes, {}, _now_ms(), change, json.dumps({"numRecords": written.rows}))


def _remove(written: Written, change: bool = True) -> "RemoveAction":
    from deltalake.transaction import RemoveAction

    return RemoveAction(written.file, change, _now_ms(), written.bytes, {})


def _now_ms() -> int:
    return time.time_ns() // 10**6
