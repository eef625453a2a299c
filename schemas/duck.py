"""DuckDB over a lake: every table's newest snapshot and both views, read-only, without Spark."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from schemas.active_policy import active_policy
from schemas.duck_store import reach
from schemas.ledger import Ledger
from schemas.policy import Policy
from schemas.tables import TABLES
from schemas.views import curated_sql, funnel_sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_LOCKED = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
    "enable_external_access": "false",
    "lock_configuration": "true",
}
"""Nothing but the lake's files can be read, and no statement can change that; the last two in this order."""

_PLAIN_TYPES = {
    pa.string(): "VARCHAR",
    pa.binary(): "BLOB",
    pa.bool_(): "BOOLEAN",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
}


def connect(ledger: Ledger, policy: Policy | None = None, memory: str = "2GiB") -> "DuckDBPyConnection":
    """A connection in which tables and views stand under their names, and nothing else can be reached.

    `curated` and `funnel` speak of `policy`, else of the active one; without either they are not there. Parquet's minima and
    maxima leave NaN out, and DuckDB would conclude from them that there is none: it may not draw conclusions from them.
    Raises `MissingError` when there is no lake.
    """
    import duckdb

    ledger.place.require()
    engine = duckdb.connect(":memory:", config={"memory_limit": memory, "threads": str(os.cpu_count() or 1)})
    _set(engine, "temp_directory", _quoted(str(Path(tempfile.gettempdir(), f"talkvid-duckdb-{os.getpid()}"))))
    _set(engine, "TimeZone", "'UTC'")
    _set(engine, "disabled_optimizers", "'statistics_propagation'")
    reach(engine, ledger.place)
    readable: list[str] = []
    for name in TABLES:
        readable += _make_table(engine, ledger, name)
    shown = policy or active_policy(ledger)
    if shown is not None:
        _do(engine, f"CREATE VIEW curated AS {curated_sql(shown)}")
        _do(engine, f"CREATE VIEW funnel AS {funnel_sql(shown)}")
    _set(engine, "allowed_paths", _listed(readable))
    for setting, value in _LOCKED.items():
        _set(engine, setting, value)
    return engine


def _make_table(engine: "DuckDBPyConnection", ledger: Ledger, name: str) -> list[str]:
    """Make a table's newest snapshot stand under its name; returns the files that DuckDB must be able to read for it.

    A table that an older lake lacks is there, empty.
    """
    files = ledger.files(name) if ledger.place.version(name) >= 0 else []
    if not files:
        columns = ", ".join(f'"{field.name}" {duck_type(field.type)}' for field in TABLES[name].schema)
        _do(engine, f"CREATE TABLE {name} ({columns})")
        return []
    _do(engine, f"CREATE VIEW {name} AS SELECT * FROM read_parquet({_listed(files)})")
    return files


def duck_type(type_: pa.DataType) -> str:
    """DuckDB's name of a column's type."""
    if pa.types.is_struct(type_):
        fields = [f'"{field.name}" {duck_type(field.type)}' for field in type_]
        return f"STRUCT({', '.join(fields)})"
    if pa.types.is_map(type_):
        return f"MAP({duck_type(type_.key_type)}, {duck_type(type_.item_type)})"
    if pa.types.is_list(type_):
        return f"{duck_type(type_.value_type)}[]"
    if pa.types.is_timestamp(type_):
        return "TIMESTAMP WITH TIME ZONE"
    return _PLAIN_TYPES[type_]


def _set(engine: "DuckDBPyConnection", setting: str, value: str) -> None:
    _do(engine, f"SET {setting} = {value}")


def _do(engine: "DuckDBPyConnection", statement: str) -> None:
    engine.execute(statement).fetchall()


def _listed(texts: Iterable[str]) -> str:
    return "[" + ", ".join(map(_quoted, texts)) + "]"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
