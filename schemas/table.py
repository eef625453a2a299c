"""How a table is declared: once, as a pyarrow schema whose fields say what they hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

UTC_TIME = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Table:
    """One Delta table: its columns, the key that is unique in it, and what must always hold.

    `checks` are CHECK constraints (name to SQL); `properties` are Delta table properties beyond the lake's own.
    """

    name: str
    comment: str
    key: tuple[str, ...]
    schema: pa.Schema
    checks: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)


def column(
    name: str,
    type_: pa.DataType,
    comment: str,
    *,
    unit: str = "",
    range_: str = "",
    source: str = "",
    nullable: bool = True,
) -> pa.Field:
    """A field whose metadata carries comment, unit, range and source; `comment` joins them for people and SQL."""
    parts = [comment]
    parts += [f"unit: {unit}"] if unit else []
    parts += [f"range: {range_}"] if range_ else []
    parts += [f"source: {source}"] if source else []
    metadata = {"comment": "; ".join(parts)}
    metadata |= {key: value for key, value in (("unit", unit), ("range", range_), ("source", source)) if value}
    return pa.field(name, type_, nullable=nullable, metadata=metadata)
