"""The lake: where tables live, and how Spark reads them; `schemas.ledger` writes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from schemas.ledger import Ledger
from schemas.place import Place
from schemas.tables import TABLES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


class Lake:
    """All tables under one root. `ledger` is the same lake without Spark, for small reads and writes."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.ledger = Ledger(place)

    @classmethod
    def at(cls, root: str) -> "Lake":
        """The lake a user named."""
        return cls(Place.of(root))

    def read(self, spark: "SparkSession", table: str) -> "DataFrame":
        """The newest snapshot of a table."""
        return spark.read.format("delta").load(self.place.table(table))

    def register(self, spark: "SparkSession", names: Sequence[str] = tuple(TABLES)) -> None:
        """Make tables temporary views of their own names, for SQL. A table that an older lake lacks is there, empty."""
        from schemas.spark import spark_schema

        for name in names:
            there = self.place.version(name) >= 0
            rows = self.read(spark, name) if there else spark.createDataFrame([], spark_schema(TABLES[name].schema))
            rows.createOrReplaceTempView(name)
