"""DuckDB over a lake: every table's newest snapshot and both views, read-only, without Spark."""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.active_policy import active_policy
from schemas.duck_store import reach
from schemas.duck_tables import listed, make_table, quoted
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


def connect(ledger: Ledger, policy: Policy | None = None, memory: str = "2GiB") -> "DuckDBPyConnection":
    """A connection in which tables and views stand under their names, and nothing else can be reached.

    `curated` and `funnel` speak of `policy`, else of the active one; without either they are not there. Parquet's minima and
    maxima leave NaN out, and DuckDB would conclude from them that there is none: it may not draw conclusions from them.
    Raises `MissingError` when there is no lake.
    """
    import duckdb

    ledger.place.require()
    engine = duckdb.connect(":memory:", config={"memory_limit": memory, "threads": str(os.cpu_count() or 1)})
    _set(engine, "temp_directory", quoted(str(Path(tempfile.gettempdir(), f"talkvid-duckdb-{os.getpid()}"))))
    _set(engine, "TimeZone", "'UTC'")
    _set(engine, "disabled_optimizers", "'statistics_propagation'")
    reach(engine, ledger.place)
    readable: list[str] = []
    for name in TABLES:
        readable += make_table(engine, ledger, name)
    shown = policy or active_policy(ledger)
    if shown is not None:
        _do(engine, f"CREATE VIEW curated AS {curated_sql(shown)}")
        _do(engine, f"CREATE VIEW funnel AS {funnel_sql(shown)}")
    _set(engine, "allowed_paths", listed(readable))
    for setting, value in _LOCKED.items():
        _set(engine, setting, value)
    return engine


def _set(engine: "DuckDBPyConnection", setting: str, value: str) -> None:
    _do(engine, f"SET {setting} = {value}")


def _do(engine: "DuckDBPyConnection", statement: str) -> None:
    engine.execute(statement).fetchall()
