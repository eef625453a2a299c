"""How DuckDB sees a lake's tables: their newest snapshots with all columns, those that are declared and those that are there."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pyarrow as pa

from schemas import columns
from schemas.ledger import Ledger
from schemas.tables import TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def make_table(engine: "DuckDBPyConnection", ledger: Ledger, name: str) -> list[str]:
    """Make a table's newest snapshot stand under its name; returns the files that DuckDB must be able to read for it.

    What was declared after the lake was made is there too, null where a file lacks it; a table that an older lake lacks is there, empty.
    Only of tables that have grown every file is opened here, to see its columns.
    """
    declared = TABLES[name].schema
    files, there = ledger.files_and_columns(name) if ledger.place.version(name) >= 0 else ([], declared)
    if not files:
        fields = ", ".join(f'"{column}" {kind}' for column, kind in duck_types(engine, columns.all_columns(declared, there)).items())
        engine.execute(f"CREATE TABLE {name} ({fields})")
        return []
    grown = columns.has_older_files(there)
    source = f"read_parquet({listed(files)}{', union_by_name = true' if grown else ''})"
    selected = "*"
    if grown or columns.lacking(declared, columns.by_name(there)):
        selected = _selected(engine, source, duck_types(engine, columns.all_columns(declared, there)))
    engine.execute(f"CREATE VIEW {name} AS SELECT {selected} FROM {source}")
    return files


def _selected(engine: "DuckDBPyConnection", source: str, types: dict[str, str]) -> str:
    """The columns of a table with these types, of files that may lack some of them, or fields of them."""
    rows = engine.sql(f"FROM {source}")
    there = dict(zip(rows.columns, map(str, rows.types), strict=True))
    values = {name: f'"{name}"' if there.get(name) == kind else f'"{name}"::{kind}' if name in there else f"NULL::{kind}" for name, kind in types.items()}
    return ", ".join(f'{value} AS "{name}"' for name, value in values.items())


def duck_types(engine: "DuckDBPyConnection", schema: pa.Schema) -> dict[str, str]:
    """DuckDB's names of the columns' types."""
    rows = engine.from_arrow(schema.empty_table())
    return dict(zip(rows.columns, map(str, rows.types), strict=True))


def listed(texts: Iterable[str]) -> str:
    """A list of texts in SQL."""
    return "[" + ", ".join(map(quoted, texts)) + "]"


def quoted(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"
