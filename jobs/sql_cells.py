"""Values of a query's answer as text: for people, for CSV, for JSON."""

import json
import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from jobs.text_table import escaped, escaped_json

_FORMULA = ("=", "+", "-", "@", "\t", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""First characters that make a spreadsheet take a cell for a formula; the wide forms are folded to the plain ones by some."""


def shown(value: Any) -> str:
    """A value for a table on a terminal: nothing in it acts on the terminal. Line ends stay."""
    if value is None:
        return "NULL"
    if isinstance(value, float):
        return f"{value:.10g}"
    return escaped(_text(value), keep="\n").strip("\n")


def csv_cell(value: Any) -> str:
    """A value for a CSV cell: null is empty, numbers at full precision, text that would be a formula, also behind blanks and line
    ends, gets a `'` in front."""
    if value is None:
        return ""
    if isinstance(value, str) and (value.startswith(_FORMULA) or value.lstrip().startswith(_FORMULA)):
        value = "'" + value
    return escaped(_text(value), keep="\n\t")


def json_value(value: Any) -> Any:
    """A value as JSON has it: NaN and infinities as null, times in ISO 8601, bytes in hexadecimal digits."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if value is None or isinstance(value, bool | int):
        return value
    return _text(value)


def json_text(value: Any) -> str:
    """A value as one line of JSON that is safe on a terminal."""
    return escaped_json(json.dumps(json_value(value), ensure_ascii=False))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict | list | tuple):
        return json.dumps(json_value(value), ensure_ascii=False)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g} s"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return repr(value) if isinstance(value, float) else str(value)
