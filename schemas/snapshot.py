"""Tables of a lake for DuckDB: the newest snapshots as views, for the driver's own questions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from schemas.duck_store import reach
from schemas.duck_tables import make_table
from schemas.ledger import Ledger

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def snapshot(ledger: Ledger, tables: Sequence[str]) -> "DuckDBPyConnection":
    """A DuckDB connection in UTC with each table under its name; an empty one has its columns too."""
    import duckdb

    engine = duckdb.connect()
    engine.execute("SET TimeZone = 'UTC'")
    reach(engine, ledger.place)
    for table in tables:
        make_table(engine, ledger, table)
    return engine
