"""Reading what a batch is to generate: a CSV, a Parquet file or a Delta table whose columns are called like flags of `generate`."""

import csv
import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference.options import Options
from schemas import s3, storage
from schemas.errors import MissingError, UsageError
from schemas.lake import Lake

INPUTS = ("reference_image_path", "audio_path", "kps_path", "driving_video_path")
REAL = "ground_truth_uri"
CARRIED = ("clip_id", REAL, "language", "age_group", "gender", "ethnicity")
"""Columns that are copied into `generations`."""
OWN = ("generation_id", "output_path")
_TRUE, _FALSE = ("1", "true", "yes"), ("0", "false", "no")


@dataclass(frozen=True)
class Wish:
    """A row of the table: inputs as addresses, options that it sets, and what is carried along. `where` names the row for people."""

    where: str
    inputs: Mapping[str, str | None]
    options: Mapping[str, Any]
    generation_id: str | None = None
    output_path: str | None = None
    carried: Mapping[str, str | None] = field(default_factory=dict)


def source_of(table: str, lake: Lake) -> str:
    """The one address of a table, however it was spelled. Raises `MissingError` where there is none."""
    if _is_file(table):
        return storage.address(table)
    if names_table_of_lake(table) and lake.place.version(table) >= 0:
        return lake.place.table(table)
    raise MissingError(f"--table {table}: there is neither such a file nor a table of that name in the lake")


def names_table_of_lake(table: str) -> bool:
    """Whether a table can only be one of the lake: its name is that of a table, and there is no such file."""
    return table.isidentifier() and not _is_file(table)


def _is_file(table: str) -> bool:
    return storage.is_remote(table) or os.path.exists(storage.address(table))


def read_wishes(source: str) -> list[Wish]:
    """The rows of a table. Raises `MissingError` for a missing column and `UsageError` for an unknown one or a value that means nothing."""
    kind = source.lower().rpartition(".")[2]
    rows = _text_rows(source) if kind in ("csv", "tsv") else _parquet_rows(source) if kind == "parquet" else _delta_rows(source)
    base = source.rpartition("/")[0] or "/"
    wishes = [_wish(f"{source} row {number}", row, base) for number, row in rows]
    _refuse_twins(wishes)
    return wishes


def _text_rows(source: str) -> Iterator[tuple[int, dict[str, Any]]]:
    with _reading(source, "no CSV file"):
        data = storage.read_bytes(source)
    if data is None:
        raise MissingError(f"--table {source}: there is no such file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"--table {source}: the file is not UTF-8") from None
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter="\t" if source.lower().endswith(".tsv") else ",", strict=True)
    try:
        _check_columns(source, [name or "" for name in reader.fieldnames or ()])
        yield from ((reader.line_num, row) for row in reader)
    except csv.Error as error:
        raise UsageError(f"--table {source}: line {reader.line_num} is no CSV: {error}") from error


def _parquet_rows(source: str) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow.parquet as pq

    with _reading(source, "no Parquet file"), storage.open_file(source) as file:
        rows = pq.read_table(file)
    _check_columns(source, rows.column_names)
    yield from enumerate(rows.to_pylist(), start=1)


def _delta_rows(source: str) -> Iterator[tuple[int, dict[str, Any]]]:
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    try:
        with _reading(source, "neither a .csv, .tsv or .parquet file nor a Delta table"):
            rows = DeltaTable(s3.spelled(source, "s3"), storage_options=s3.rust_options() if s3.is_s3(source) else None).to_pyarrow_table()
    except TableNotFoundError:
        raise UsageError(f"--table {source} is neither a .csv, .tsv or .parquet file nor a Delta table") from None
    _check_columns(source, rows.column_names)
    yield from enumerate(rows.to_pylist(), start=1)


@contextmanager
def _reading(source: str, what: str) -> Iterator[None]:
    """Turn what readers say of something else than a table into `UsageError`, of nothing into `MissingError`; what a store says of itself stays."""
    from deltalake.exceptions import DeltaError
    from pyarrow import ArrowException

    try:
        yield
    except FileNotFoundError:
        raise MissingError(f"--table {source}: there is no such file") from None
    except ArrowException as error:
        raise UsageError(f"--table {source} is {what} that can be read: {str(error).splitlines()[0]}") from error
    except (OSError, DeltaError) as error:
        if storage.is_remote(source):
            raise
        said = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise UsageError(f"--table {source} is {what} that can be read: {said}") from error


def _check_columns(source: str, names: list[str]) -> None:
    known = (*INPUTS, *OWN, *CARRIED, *Options.types())
    spelled = [_name(name) for name in names]
    for wanted in ("reference_image_path", "audio_path"):
        if wanted not in spelled:
            raise MissingError(f"--table {source} has no column {wanted}")
    unknown = [name for name in spelled if name not in known]
    if unknown:
        raise UsageError(f"--table {source}: there is no flag called {unknown[0]!r}; columns are {', '.join(known)}")


def _wish(where: str, row: Mapping[str, Any], base: str) -> Wish:
    values = {_name(name): value for name, value in row.items() if name is not None and value is not None and str(value).strip() != ""}
    for wanted in ("reference_image_path", "audio_path"):
        if wanted not in values:
            raise UsageError(f"{where}: {wanted} is empty")
    options = {name: _typed(where, name, kind, values[name]) for name, kind in Options.types().items() if name in values}
    return Wish(
        where=where,
        inputs={name: _address(values, name, base) for name in INPUTS},
        options=options,
        generation_id=str(values["generation_id"]).strip() if "generation_id" in values else None,
        output_path=str(values["output_path"]).strip() if "output_path" in values else None,
        carried={name: str(values[name]) if name in values else None for name in CARRIED} | {REAL: _address(values, REAL, base)},
    )


def _name(heading: str) -> str:
    return heading.strip().lstrip("-").replace("-", "_")


def _address(values: Mapping[str, Any], name: str, base: str) -> str | None:
    """Relative paths mean files beside the table, else below the working directory; those of a table in a store are in it."""
    if name not in values:
        return None
    text = str(values[name]).strip()
    if storage.is_remote(text):
        return text
    if text.startswith("file://") or os.path.isabs(os.path.expanduser(text)):
        return storage.address(text)
    if storage.is_remote(base):
        return storage.at(base, text)
    beside = Path(base, text)
    return storage.address(beside if os.path.exists(beside) or not os.path.exists(text) else text)


def _typed(where: str, name: str, kind: type, value: Any) -> Any:
    text = str(value).strip()
    if kind is bool:
        if text.lower() in (*_TRUE, *_FALSE):
            return text.lower() in _TRUE
        raise UsageError(f"{where}: {name} is true or false, not {text!r}")
    try:
        return int(text) if kind is int and text.lstrip("-").isdigit() else _whole(float(text)) if kind is int else kind(text)
    except (ValueError, OverflowError):
        raise UsageError(f"{where}: {name} is {'a whole number' if kind is int else 'a number'}, not {text!r}") from None


def _whole(value: float) -> int:
    if value != int(value):
        raise ValueError(value)
    return int(value)


def _refuse_twins(wishes: list[Wish]) -> None:
    """Raise `UsageError` where two rows have one generation_id."""
    seen: dict[str, str] = {}
    for wish in wishes:
        name = wish.generation_id
        if name is not None and seen.setdefault(name, wish.where) != wish.where:
            raise UsageError(f"{wish.where}: generation_id {name!r} is also that of {seen[name]}")
