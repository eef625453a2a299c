"""Columns that a table is declared with and a lake lacks yet, since it was made earlier, and those that a newer version has given it."""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from deltalake import DeltaTable

ADDED = b"talkvid.added"
"""Mark, among a stored field's metadata, of one that came after the table was made: files that are older lack it."""


def stored(opened: "DeltaTable") -> pa.Schema:
    """The columns of a table as its log has them."""
    return pa.schema(opened.schema().to_arrow())


def lacking(declared: Iterable[pa.Field], there: Mapping[str, pa.Field]) -> list[pa.Field]:
    """The fields with which `there`, fields by name, becomes as declared: those that are not there, and those whose struct, list or map holds
    one that is not, each marked as added and nullable."""
    found = []
    for field in declared:
        old = there.get(field.name)
        if old is None:
            found.append(field.with_nullable(True).with_metadata({**(field.metadata or {}), ADDED: b"true"}))
        elif (grown := _grown(field.type, old.type)) is not None:
            found.append(old.with_type(grown))
    return found


def _grown(declared: pa.DataType, old: pa.DataType) -> pa.DataType | None:
    """`old` with all that it lacks; None when it lacks nothing."""
    if pa.types.is_struct(declared) and pa.types.is_struct(old):
        fields = {field.name: field for field in old}
        new = {field.name: field for field in lacking(declared, fields)}
        return pa.struct(list((fields | new).values())) if new else None
    if pa.types.is_map(declared) and pa.types.is_map(old):
        item = _grown(declared.item_type, old.item_type)
        return pa.map_(old.key_type, item) if item is not None else None
    if pa.types.is_list(declared) and pa.types.is_list(old):
        value = _grown(declared.value_type, old.value_type)
        return pa.list_(old.value_field.with_type(value)) if value is not None else None
    return None


def by_name(schema: pa.Schema) -> dict[str, pa.Field]:
    """A schema's fields."""
    return {field.name: field for field in schema}


def all_columns(declared: pa.Schema, there: pa.Schema) -> pa.Schema:
    """The declared columns, with all that those which are there hold, then the others that are there."""
    old = by_name(there)
    grown = old | {field.name: field for field in lacking(declared, old)}
    return pa.schema([grown[name] for name in dict.fromkeys((*declared.names, *there.names))])


def has_older_files(there: pa.Schema) -> bool:
    """True when some files of a table may lack some of its columns, or of their fields."""
    return any(_is_added(field) for field in there)


def _is_added(field: pa.Field) -> bool:
    inner = field.type
    while pa.types.is_list(inner) or pa.types.is_map(inner):
        inner = inner.value_type if pa.types.is_list(inner) else inner.item_type
    return ADDED in (field.metadata or {}) or pa.types.is_struct(inner) and any(_is_added(each) for each in inner)


def new_checks(checks: Mapping[str, str], there: pa.Schema) -> dict[str, str]:
    """Those CHECK constraints that speak of columns which came after the table was made; what has no value yet meets them."""
    added = [field.name for field in there if ADDED in (field.metadata or {})]
    spoken = {name: [column for column in added if re.search(rf"\b{column}\b", check)] for name, check in checks.items()}
    return {name: " OR ".join([f"({checks[name]})", *(f"{column} IS NULL" for column in found)]) for name, found in spoken.items() if found}


def conformed(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows with a table's columns, their order and types; columns, and fields of structs, are matched by name, and missing ones are null."""
    columns = [rows[field.name].cast(field.type) if field.name in rows.column_names else pa.nulls(rows.num_rows, field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)
