"""The driver's own small reads and writes, through delta-rs: no Spark session is needed to know or note something.

Tables are created here too, so that a lake is complete before the first writer starts. Large reads and writes go through
`schemas.lake`.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa

from schemas import columns, s3
from schemas.commits import commit
from schemas.errors import MissingError
from schemas.place import Place
from schemas.table import Table
from schemas.tables import TABLES

if TYPE_CHECKING:
    from deltalake import CommitProperties, DeltaTable
    from pyarrow.fs import FileSystem

COMMON_PROPERTIES = {"delta.enableDeletionVectors": "false"}
DECLARATION = "declaration"
"""Setting: the declaration whose columns all tables of the lake have, so that they need not be looked at; a new lake has it from the first."""


class Ledger:
    """A lake without Spark: creates tables, appends and reads rows, keeps settings and runs."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def create(self) -> set[str]:
        """Create every table that is not there yet, with comments, constraints and properties, and give the others the columns that they lack;
        returns the names of the tables that have grown."""
        from deltalake import DeltaTable, Schema

        older = []
        for table in TABLES.values():
            if self.place.version(table.name) >= 0:
                older.append(table)
                continue
            made = DeltaTable.create(
                self.place.table_for_rust(table.name),
                schema=Schema.from_arrow(table.schema),
                name=table.name,
                description=table.comment,
                configuration=COMMON_PROPERTIES | dict(table.properties),
                storage_options=self.place.rust_options(),
            )
            self._constrain(made, table.checks)
        declaration = _declaration()
        if older and self.setting(DECLARATION) == declaration:
            return set()
        grown = {table.name for table in older if self._grow(table)}
        self.set(DECLARATION, declaration)
        return grown

    def _grow(self, table: Table) -> bool:
        """Give a table what it lacks of its declaration; returns whether that were columns."""
        before = self.open(table.name)
        opened = self._open_whole(table.name)
        checks, present = columns.new_checks(table.checks, columns.stored(opened)), opened.metadata().configuration
        self._constrain(opened, {name: check for name, check in checks.items() if f"delta.constraints.{name}" not in present})
        return columns.stored(before) != columns.stored(opened)

    def _open_whole(self, name: str) -> "DeltaTable":
        """A table, with the declared columns that it lacked added: its log says so, its files stay."""
        from deltalake import Schema

        opened = self.open(name)
        lacking = columns.lacking(TABLES[name].schema, columns.by_name(columns.stored(opened)))
        if lacking:
            add = partial(opened.alter.add_columns, list(Schema.from_arrow(pa.schema(lacking)).fields))
            commit(self.place, opened, lambda properties: add(commit_properties=properties))
        return opened

    def _constrain(self, opened: "DeltaTable", checks: Mapping[str, str]) -> None:
        for name, condition in checks.items():
            constraint = partial(opened.alter.add_constraint, {name: condition})
            commit(self.place, opened, lambda properties, constraint=constraint: constraint(commit_properties=properties))

    def open(self, table: str, version: int | None = None) -> "DeltaTable":
        """The table as delta-rs sees it. Raises `MissingError` when it is not there."""
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        try:
            return DeltaTable(self.place.table_for_rust(table), version=version, storage_options=self.place.rust_options())
        except TableNotFoundError:
            raise MissingError(f"there is no table {table} at {self.place.root}; make the lake with: talkvid ingest FOLDER --lake {self.place.root}") from None

    def append(self, table: str, rows: Sequence[dict[str, Any]]) -> None:
        """Append rows; columns that a row lacks are null. No rows, no commit."""
        if rows:
            self.append_arrow(table, pa.Table.from_pylist(list(rows), schema=TABLES[table].schema))

    def append_arrow(self, table: str, rows: pa.Table) -> None:
        """Append an Arrow table; columns are matched by name, missing ones are null."""
        from deltalake import write_deltalake

        if rows.num_rows:
            opened = self._open_whole(table)
            data = columns.conformed(rows, columns.stored(opened))
            commit(self.place, opened, lambda properties: write_deltalake(opened, data, mode="append", commit_properties=properties))

    def replace(self, table: str, rows: pa.Table, predicate: str) -> None:
        """Put `rows` in the place of those that meet `predicate` (SQL), in one commit."""
        from deltalake import write_deltalake

        opened = self._open_whole(table)
        data = columns.conformed(rows, columns.stored(opened))
        commit(self.place, opened, lambda properties: write_deltalake(opened, data, mode="overwrite", predicate=predicate, commit_properties=properties))

    def overwrite(self, table: str, rows: pa.RecordBatchReader, predicate: str | None = None) -> int:
        """Put `rows` in the place of the whole table, or of those that meet `predicate` (SQL), in one commit, without holding
        them all; returns their number."""
        from deltalake import write_deltalake

        opened, counted = self._open_whole(table), [0]
        schema = columns.stored(opened)

        def conformed() -> Iterator[pa.RecordBatch]:
            for batch in rows:
                counted[0] += batch.num_rows
                yield from columns.conformed(pa.Table.from_batches([batch]), schema).to_batches()

        data = pa.RecordBatchReader.from_batches(schema, conformed())
        commit(self.place, opened, lambda properties: write_deltalake(opened, data, mode="overwrite", predicate=predicate, commit_properties=properties))
        return counted[0]

    def merge(self, table: str, rows: pa.Table) -> None:
        """Update the rows whose key is there, insert the others, in one commit."""
        declared = TABLES[table]
        condition = " AND ".join(f"target.{name} = new.{name}" for name in declared.key)
        opened = self._open_whole(table)
        there = columns.by_name(columns.stored(opened))
        data = columns.conformed(rows, pa.schema([there[name] for name in declared.schema.names]))

        def merge(properties: "CommitProperties | None") -> None:
            merging = opened.merge(data, condition, source_alias="new", target_alias="target", commit_properties=properties)
            merging.when_matched_update_all().when_not_matched_insert_all().execute()

        commit(self.place, opened, merge)

    def update(self, table: str, rows: pa.Table, names: Sequence[str]) -> None:
        """Set some columns of the rows whose key is there, in one commit; other rows of `rows` are passed over."""
        declared = TABLES[table]
        opened = self._open_whole(table)
        there = columns.by_name(columns.stored(opened))
        data = columns.conformed(rows, pa.schema([there[name].with_nullable(True) for name in (*declared.key, *names)]))
        condition = " AND ".join(f"target.{name} = new.{name}" for name in declared.key)

        def merge(properties: "CommitProperties | None") -> None:
            merging = opened.merge(data, condition, source_alias="new", target_alias="target", commit_properties=properties)
            merging.when_matched_update({name: f"new.{name}" for name in names}).execute()

        commit(self.place, opened, merge)

    def compact(self, table: str, most_files: int = 48) -> None:
        """Join the small files of a table once it has more than `most_files`."""
        opened = self.open(table)
        if len(opened.file_uris()) > most_files:
            commit(self.place, opened, lambda properties: opened.optimize.compact(commit_properties=properties))

    def fence(self) -> None:
        """Commit to every table that is there, with no rows, in the name of the lease that this process holds: what an older holder has
        under way cannot be committed any more."""
        for name in TABLES:
            if self.place.version(name) >= 0:
                opened = self.open(name)
                empty = partial(opened.create_write_transaction, [], "append", opened.schema())
                commit(self.place, opened, lambda properties, empty=empty: empty(commit_properties=properties), talkvid="fence")

    def read(self, table: str, names: Sequence[str] = (), version: int | None = None) -> pa.Table:
        """The whole table, or some of its columns; meant for small tables or few columns. A declared column that the lake lacks is null."""
        opened = self.open(table, version)
        there, filesystem = columns.stored(opened), self._filesystem(table)
        if not columns.lacking(TABLES[table].schema, columns.by_name(there)):
            return opened.to_pyarrow_table(columns=list(names) or None, filesystem=filesystem)
        whole = columns.all_columns(TABLES[table].schema, there)
        wanted = list(names) or whole.names
        present = [name for name in wanted if name in there.names] or list(TABLES[table].key)
        return columns.conformed(opened.to_pyarrow_table(columns=present, filesystem=filesystem), pa.schema([whole.field(name) for name in wanted]))

    def _filesystem(self, table: str) -> "FileSystem":
        """Arrow's own view of a table: through delta-rs's, which is Python code, reading threads abort a process that ends just then."""
        from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

        if self.place.is_local:
            return SubTreeFileSystem(self.place.table(table), LocalFileSystem())
        return SubTreeFileSystem("/".join(s3.split(self.place.table(table))), s3.filesystem())

    def files(self, table: str, version: int | None = None) -> list[str]:
        """Addresses of the Parquet files of a snapshot, the newest if not said; plain paths in a folder (delta-rs escapes spaces and umlauts)."""
        return self._files(self.open(table, version))

    def files_and_columns(self, table: str) -> tuple[list[str], pa.Schema]:
        """The files of the newest snapshot, and its columns as the table has them."""
        opened = self.open(table)
        return self._files(opened), columns.stored(opened)

    def schema(self, table: str) -> pa.Schema:
        """The columns that a table is declared with, and those that it has beside them."""
        return columns.all_columns(TABLES[table].schema, columns.stored(self.open(table)))

    def _files(self, opened: "DeltaTable") -> list[str]:
        addresses = opened.file_uris()
        return [unquote(address) for address in addresses] if self.place.is_local else addresses

    def setting(self, key: str) -> str | None:
        """Newest value of a setting, or None."""
        rows = [row for row in self.read("settings").to_pylist() if row["key"] == key]
        return max(rows, key=lambda row: row["set_at"])["value"] if rows else None

    def set(self, key: str, value: str) -> None:
        """Set a setting, unless it has that value already."""
        if self.setting(key) != value:
            self.append("settings", [{"key": key, "value": value, "set_at": now()}])

    def versions(self, tables: Sequence[str]) -> dict[str, int]:
        """Newest version of each table."""
        return {table: self.place.version(table) for table in tables}

    def last_complete_run(self, verb: str, configuration: str) -> dict[str, Any] | None:
        """The newest complete run of a verb with this configuration (JSON), maps as dicts; None when there is none."""
        found = None
        for row in self.read("runs").to_pylist():
            if row["verb"] == verb and row["complete"] and row["configuration"] == configuration:
                found = row if found is None or row["finished"] > found["finished"] else found
        if found is not None:
            for name in ("input_versions", "fingerprints", "counts"):
                found[name] = dict(found[name] or {})
        return found

    def unchanged_since(self, run: dict[str, Any]) -> bool:
        """True when no table that a run depends on has new data since it ended."""
        return all(self.place.data_version(table, version) == version for table, version in run["input_versions"].items())


def _declaration() -> str:
    told = [(table.name, [(field.name, str(field.type)) for field in table.schema], sorted(table.checks.items())) for table in TABLES.values()]
    return hashlib.sha256(repr(told).encode()).hexdigest()


def now() -> datetime:
    """The time, in UTC, as tables keep it."""
    return datetime.now(UTC)
