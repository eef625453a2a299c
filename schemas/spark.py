"""Tables as Spark types."""

import pyarrow as pa
from pyspark.sql.pandas.types import from_arrow_type, to_arrow_schema
from pyspark.sql.types import ArrayType, DataType, MapType, StructField, StructType


def spark_schema(schema: pa.Schema) -> StructType:
    """A pyarrow schema as Spark's, with column comments."""
    return StructType([_field(field) for field in schema])


def arrow_schema(schema: StructType) -> pa.Schema:
    """A Spark schema as pyarrow's."""
    return to_arrow_schema(schema, timezone="UTC")


def spark_type(type_: pa.DataType) -> DataType:
    """A pyarrow type as Spark's, comments of struct fields kept."""
    if pa.types.is_struct(type_):
        return StructType([_field(type_.field(i)) for i in range(type_.num_fields)])
    if pa.types.is_map(type_):
        return MapType(spark_type(type_.key_type), spark_type(type_.item_type))
    if pa.types.is_list(type_):
        return ArrayType(spark_type(type_.value_type))
    return from_arrow_type(type_, prefer_timestamp_ntz=False)


def _field(field: pa.Field) -> StructField:
    metadata = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    return StructField(field.name, spark_type(field.type), field.nullable, {"comment": metadata["comment"]} if "comment" in metadata else {})
