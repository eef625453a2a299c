"""Tables of a lake for DuckDB: the newest snapshots as views, for the driver's own questions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from schemas.duck_store import reach
from schemas.ledger import Ledger
from schemas.tables import TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def snapshot(ledger: Ledger, tables: Sequence[str]) -> "DuckDBPyConnection":
    """A DuckDB connection in UTC with a view for each table; an empty table has its columns too."""
    import duckdb

    engine = duckdb.connect()
    engine.execute("SET TimeZone = 'UTC'")
    reach(engine, ledger.place)
    for table in tables:
        files = ledger.files(table)
        if files:
            engine.read_parquet(files).create_view(table)
        else:
            engine.from_arrow(TABLES[table].schema.empty_table()).create(table)
    return engine
