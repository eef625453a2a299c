"""Lakes as an earlier version has left them: made when the tables were declared with less."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pyarrow as pa
import pytest

from jobs import metadata
from schemas.tables import TABLES


def without(schema: pa.Schema, paths: tuple[str, ...]) -> pa.Schema:
    """A schema without some columns, or fields of them: `sync`, `dover.overall`, `head.faces.score`."""
    return pa.schema(_without(list(schema), paths))


def _without(fields: list[pa.Field], paths: tuple[str, ...]) -> list[pa.Field]:
    kept = []
    for field in fields:
        inner = tuple(path.partition(".")[2] for path in paths if path.startswith(f"{field.name}."))
        if field.name not in paths:
            kept.append(field.with_type(_smaller(field.type, inner)) if inner else field)
    return kept


def _smaller(type_: pa.DataType, paths: tuple[str, ...]) -> pa.DataType:
    return pa.list_(_smaller(type_.value_type, paths)) if pa.types.is_list(type_) else pa.struct(_without(list(type_), paths))


@contextmanager
def declared_before(**lacking: tuple[str, ...]) -> Iterator[None]:
    """Within it tables are declared as they were before those columns came; `sync` among those of `scores` is a scorer that is not there yet."""
    with pytest.MonkeyPatch.context() as patch:
        for name, paths in lacking.items():
            patch.setitem(TABLES, name, replace(TABLES[name], schema=without(TABLES[name].schema, paths)))
        patch.setattr(metadata, "TABLE", TABLES["clip_metadata"])
        gone = lacking.get("scores", ())
        patch.setattr(metadata, "SHOWN", {name: fields for name, fields in metadata.SHOWN.items() if name not in gone})
        shown = TABLES["clip_metadata"].schema
        patch.setattr(metadata, "struct_of", lambda scorer, *, shown=False, schema=shown: schema.field(scorer).type)
        yield
