"""Prints the answer of a query: an aligned table, CSV, or JSON; batch by batch, so that a long answer is never held whole."""

import csv
import itertools
from collections.abc import Iterator
from typing import TextIO

import pyarrow as pa
from pyarrow import types

from jobs import text_table
from jobs.sql_cells import csv_cell, json_text, shown

FORMATS = ("table", "csv", "json")
WIDEST = 60
"""A table's column is not made wider than this to fit its longest cell; a longer cell pushes its line to the right."""


def write(answer: pa.RecordBatchReader, format_: str, out: TextIO, limit: int | None = None) -> None:
    """Print at most `limit` rows of an answer."""
    rows = itertools.islice(_rows(answer), limit)
    {"table": _table, "csv": _csv, "json": _json}[format_](answer.schema, rows, out)


def _rows(answer: pa.RecordBatchReader) -> Iterator[tuple]:
    for batch in answer:
        yield from zip(*(column.to_pylist(maps_as_pydicts="lossy") for column in batch.columns), strict=True)


def _table(schema: pa.Schema, rows: Iterator[tuple], out: TextIO) -> None:
    cells = ([shown(value) for value in row] for row in rows)
    first = list(itertools.islice(cells, 1000))
    widths = [min(WIDEST, max((text_table.width(row[column]) for row in first), default=0)) for column in range(len(schema))]
    right = [_is_number(field.type) for field in schema]
    for line in text_table.lines([text_table.escaped(name) for name in schema.names], itertools.chain(first, cells), right, widths):
        print(line, file=out)


def _is_number(type_: pa.DataType) -> bool:
    return types.is_integer(type_) or types.is_floating(type_) or types.is_decimal(type_)


def _csv(schema: pa.Schema, rows: Iterator[tuple], out: TextIO) -> None:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([csv_cell(name) for name in schema.names])
    writer.writerows([csv_cell(value) for value in row] for row in rows)


def _json(schema: pa.Schema, rows: Iterator[tuple], out: TextIO) -> None:
    names = _distinct(schema.names)
    between = "[\n"
    for row in rows:
        out.write(between + json_text(dict(zip(names, row, strict=True))))
        between = ",\n"
    out.write("[]\n" if between == "[\n" else "\n]\n")


def _distinct(names: list[str]) -> list[str]:
    """Names told apart by a number, since a JSON object has one value a name."""
    return [name if name not in names[:position] else f"{name}_{names[:position].count(name)}" for position, name in enumerate(names)]
