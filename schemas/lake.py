"""The lake: where tables live, and how Spark reads, appends and merges them."""

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

    def append(self, rows: "DataFrame", table: str) -> None:
        """Append rows in one commit; columns are matched by name."""
        columns = [name for name in TABLES[table].schema.names if name in rows.columns]
        rows.select(*columns).write.format("delta").mode("append").save(self.place.table(table))

    def replace_where(self, rows: "DataFrame", table: str, condition: str) -> None:
        """Put `rows` in the place of those that meet `condition` (SQL), in one commit."""
        rows.select(*TABLES[table].schema.names).write.format("delta").mode("overwrite").option("replaceWhere", condition).save(self.place.table(table))

    def merge(self, rows: "DataFrame", table: str, key: Sequence[str]) -> None:
        """Update the rows whose key is there, insert the others, in one commit."""
        from delta.tables import DeltaTable

        target = DeltaTable.forPath(rows.sparkSession, self.place.table(table)).alias("target")
        condition = " AND ".join(f"target.`{name}` <=> new.`{name}`" for name in key)
        target.merge(rows.alias("new"), condition).whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()

    def register(self, spark: "SparkSession", names: Sequence[str] = tuple(TABLES)) -> None:
        """Make tables temporary views of their own names, for SQL."""
        for name in names:
            self.read(spark, name).createOrReplaceTempView(name)
