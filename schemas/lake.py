"""The lake: where tables live, and how Spark reads them; `schemas.ledger` writes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from schemas.columns import by_name, lacking
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
        """Make tables temporary views of their own names, for SQL. A table that an older lake lacks is there, empty, and a column null."""
        from schemas.spark import arrow_schema, spark_schema

        for name in names:
            rows = self.read(spark, name) if self.place.version(name) >= 0 else None
            declared = TABLES[name].schema
            if rows is None or lacking(declared, by_name(arrow_schema(rows.schema))):
                nothing = spark.createDataFrame([], spark_schema(declared))
                rows = nothing if rows is None else nothing.unionByName(rows, allowMissingColumns=True)
            rows.createOrReplaceTempView(name)
