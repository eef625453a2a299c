"""How DuckDB reads a lake in an object store: through Arrow's file system, so that it needs no extension, network or credentials of its own."""

from typing import TYPE_CHECKING

from schemas import s3
from schemas.place import Place

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def reach(engine: "DuckDBPyConnection", place: Place) -> None:
    """Let a connection open `s3://` addresses, where the lake needs it."""
    if place.is_local:
        return
    from fsspec.implementations.arrow import ArrowFSWrapper

    class Store(ArrowFSWrapper):
        protocol = "s3"

    engine.register_filesystem(Store(s3.filesystem()))
