"""Which columns a policy's rule may look at: numbers and booleans of `clip_metadata`, named as in its schema."""

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache

import pyarrow as pa

from schemas.clip_metadata import TABLE


@cache
def rule_columns() -> dict[str, str]:
    """Every column a rule may use, dotted inside structs, to its kind: `real`, `whole` or `boolean`."""
    kinds: dict[str, str] = {}
    for field in TABLE.schema:
        leaves = field.type if pa.types.is_struct(field.type) else ()
        kinds |= {f"{field.name}.{leaf.name}": _kind(leaf.type) for leaf in leaves}
        kinds[field.name] = _kind(field.type)
    return {name: kind for name, kind in kinds.items() if kind}


def _kind(type_: pa.DataType) -> str:
    if pa.types.is_boolean(type_):
        return "boolean"
    if pa.types.is_integer(type_):
        return "whole"
    return "real" if pa.types.is_floating(type_) else ""


def column_kind(column: str) -> str:
    """Kind of a column that is known to be there."""
    return rule_columns()[column]


def near(word: str, known: Iterable[str]) -> str:
    """` (did you mean a, b?)`, or nothing when no known word is near."""
    candidates = list(known)
    leaves = {name.rpartition(".")[2]: name for name in candidates}
    close = get_close_matches(word, candidates, n=3) or [leaves[leaf] for leaf in get_close_matches(word.rpartition(".")[2], leaves, n=3)]
    return f" (did you mean {', '.join(dict.fromkeys(close))}?)" if close else ""
