"""The target in tables: rows that are about it go, by MERGE with a list of keys; texts of other rows that name it are rewritten."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jobs.removal.target import Target
from schemas.columns import conformed
from schemas.commits import commit
from schemas.lake import Lake
from schemas.row_groups import GroupedTable
from schemas.snapshot import snapshot
from schemas.tables import TABLES

if TYPE_CHECKING:
    from deltalake import CommitProperties
    from duckdb import DuckDBPyConnection

KEPT = ("removals",)
"""Tombstones name what they keep out."""
GROUPED = ("samples",)
"""Their rows lie in even row groups, and are taken out without giving that up."""
LAST = ("generations", "exports", "sources", "clips", "videos")
"""Tables by which a removal that was interrupted finds what it has not reached yet, so they are reached last, in this order."""


def ordered() -> list[str]:
    """The tables a removal goes through, in its order."""
    return [name for name in TABLES if name not in (*KEPT, *LAST)] + list(LAST)


def text_sql(schema: pa.Schema) -> str | None:
    """SQL for all texts of a row but its keys, one after the other; None where a table has none."""
    leaves = [leaf for field in schema if not _kind(field.name) for leaf in _leaves(f'"{field.name}"', field.type)]
    return f"concat_ws(chr(10), {', '.join(leaves)})" if leaves else None


def _leaves(path: str, type_: pa.DataType) -> Iterator[str]:
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        yield path
    elif pa.types.is_struct(type_):
        for field in type_:
            yield from _leaves(f'{path}."{field.name}"', field.type)
    elif _has_text(type_):
        yield f"{path}::VARCHAR"


def _has_text(type_: pa.DataType) -> bool:
    if pa.types.is_map(type_):
        return _has_text(type_.key_type) or _has_text(type_.item_type)
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return _has_text(type_.value_type)
    if pa.types.is_struct(type_):
        return any(_has_text(field.type) for field in type_)
    return pa.types.is_string(type_) or pa.types.is_large_string(type_)


class TargetRows:
    """The rows of one lake that are about a target, as they are now. `generations` are rows of what was made of it, `evaluated` ids of
    what was measured of that."""

    def __init__(self, lake: Lake, target: Target, generations: Iterable[dict[str, Any]] = (), evaluated: Iterable[str] = ()) -> None:
        self._lake, self._target = lake, target
        self._engine = snapshot(lake.ledger, tuple(TABLES))
        made = list(generations)
        generated, items = {row["generation_id"] for row in made}, set(evaluated)
        sets = {"video_id": target.video_ids, "clip_id": target.clip_ids, "address": target.addresses, "generation_id": generated, "item_id": items}
        sets["entity"] = target.video_ids | target.clip_ids | target.addresses | generated | items | {row["output_uri"] for row in made if row["output_uri"]}
        sets["entity"] |= self._entities()
        self._keys = {name: pa.table({"key": pa.array(sorted(values), pa.string())}) for name, values in sets.items()}
        for name, keys in self._keys.items():
            self._engine.from_arrow(keys).create(f"gone_{name}")

    def counts(self) -> dict[str, int]:
        """Rows of each table that go or are rewritten; tables without any are left out."""
        found = {name: self._engine.execute(f"SELECT count(*) FROM {name} WHERE {self._about(name)}").fetchall()[0][0] for name in ordered()}
        return {name: count for name, count in found.items() if count}

    def remove(self) -> list[str]:
        """Delete and rewrite them; returns the tables that were touched."""
        touched = []
        for name in ordered():
            columns = [column for column in _key_columns(name) if self._engine.execute(f"SELECT 1 FROM {name} WHERE {self._by_key(name, column)}").fetchone()]
            if columns and name in GROUPED:
                dropped = self._engine.execute(f"SELECT clip_id FROM {name} WHERE {self._keyed(name)}").fetchall()
                GroupedTable(self._lake.ledger, name).commit((), [row[0] for row in dropped])
            for column in columns if name not in GROUPED else ():
                _delete(self._lake, name, column, self._keys[_kind(column)])
            named = self._named(name)
            if named and self._engine.execute(f"SELECT 1 FROM {name} WHERE ({named}) AND NOT ({self._keyed(name)})").fetchone():
                self._rewrite(name, named)
                columns.append("texts")
            touched += [name] if columns else []
        return touched

    def _entities(self) -> set[str]:
        """Entities of failures in whose name the target stands, such as the path of a file that is called after a clip."""
        named = named_sql("entity", self._target)
        query = f"SELECT DISTINCT entity FROM failures WHERE entity IS NOT NULL AND ({named})"
        return {row[0] for row in self._engine.execute(query).fetchall()} if named else set()

    def _about(self, name: str) -> str:
        return " OR ".join(filter(None, (self._keyed(name), self._named(name)))) or "false"

    def _keyed(self, name: str) -> str:
        return " OR ".join(self._by_key(name, column) for column in _key_columns(name)) or "false"

    def _by_key(self, name: str, column: str) -> str:
        return f'coalesce("{column}" IN (FROM gone_{_kind(column)}), false)'

    def _named(self, name: str) -> str:
        return named_sql(text_sql(self._lake.ledger.schema(name)), self._target)

    def _rewrite(self, name: str, named: str) -> None:
        """Write a table anew, with the texts of some rows changed."""
        lake, schema = self._lake, self._lake.ledger.schema(name)
        engine = snapshot(lake.ledger, (name,))
        keys = _key_columns(name)
        if name in GROUPED:
            named_ids = [row[0] for row in engine.execute(f"SELECT clip_id FROM {name} WHERE {named}").fetchall()]
            GroupedTable(lake.ledger, name).change(named_ids, self._without)
            return
        rows = engine.sql(f"SELECT * FROM {name} WHERE {named}").to_arrow_table().to_pylist()
        changed = [self._target.without(row) | {key: row[key] for key in keys} for row in rows]
        rest = engine.sql(f"SELECT * FROM {name} WHERE NOT ({named})").to_arrow_reader()
        new = pa.Table.from_pylist(changed, schema=schema)

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in rest:
                yield from conformed(pa.Table.from_batches([batch]), schema).to_batches()
            yield from new.to_batches()

        lake.ledger.overwrite(name, pa.RecordBatchReader.from_batches(schema, batches()))

    def _without(self, rows: pa.Table) -> pa.Table:
        """Rows whose plain texts, but for the keys, do not name the target."""
        for index, field in enumerate(rows.schema):
            if pa.types.is_string(field.type) and not _kind(field.name):
                rows = rows.set_column(index, field, pa.array([self._target.without(text) for text in rows[field.name].to_pylist()], pa.string()))
        return rows


def named_sql(texts: str | None, target: Target) -> str:
    """SQL that is true for rows whose texts name the target; empty where nothing can."""
    if texts is None or not target.patterns:
        return ""
    return " OR ".join("regexp_matches({}, '{}')".format(texts, pattern.replace("'", "''")) for pattern in target.patterns)


def _key_columns(name: str) -> list[str]:
    """Columns by which a row is about the target."""
    return [field.name for field in TABLES[name].schema if field.type == pa.string() and _kind(field.name)]


def _kind(column: str) -> str:
    if column in ("video_id", "clip_id", "entity", "generation_id", "item_id"):
        return column
    return "address" if column == "uri" or column.endswith("_uri") else ""


def _delete(lake: Lake, name: str, column: str, keys: pa.Table) -> None:
    """Delete the rows whose `column` is among the keys. No key stands in the predicate."""
    opened = lake.ledger.open(name)

    def merge(properties: "CommitProperties | None") -> None:
        merging = opened.merge(keys, f'target."{column}" = gone.key', source_alias="gone", target_alias="target", commit_properties=properties)
        merging.when_matched_delete().execute()

    commit(lake.place, opened, partial(merge))


def all_text_sql(schema: pa.Schema) -> str | None:
    """SQL for all texts of a row, its keys included."""
    leaves = [leaf for field in schema for leaf in _leaves(f'"{field.name}"', field.type)]
    return f"concat_ws(chr(10), {', '.join(leaves)})" if leaves else None


def count_named(engine: "DuckDBPyConnection", file: str, schema: pa.Schema, target: Target) -> int:
    """Rows of one Parquet file that name the target."""
    named = named_sql(all_text_sql(schema), target)
    return engine.execute(f"SELECT count(*) FROM read_parquet(?) WHERE {named}", [file]).fetchall()[0][0] if named else 0
