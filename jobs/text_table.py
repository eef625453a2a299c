"""Rows as aligned plain text, safe to show on a terminal."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
"""Control characters, line separators, and those that change the direction of text."""


def escaped(text: str, keep: str = "") -> str:
    """Text in which no character acts on a terminal: `\\x1b` stands for the escape character. Those in `keep` stay."""
    return _UNSAFE.sub(lambda found: found[0] if found[0] in keep else _name(found[0]), text)


def escaped_json(text: str) -> str:
    """The same JSON, in which no character acts on a terminal."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _name(character: str) -> str:
    return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"


def lines(headings: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[bool], widths: Sequence[int] = ()) -> Iterator[str]:
    """A heading, a rule, and the rows; columns in `right` are set flush right. A cell may hold several lines.

    `widths` are the least widths of the columns; a wider cell pushes the rest of its line. Cells must be escaped.
    """
    least = [max(len(heading), width) for heading, width in zip(headings, widths or [0] * len(headings), strict=True)]
    yield _line(headings, least, right)
    yield "  ".join("-" * width for width in least)
    for row in rows:
        for cells in zip_longest(*(cell.split("\n") for cell in row), fillvalue=""):
            yield _line(cells, least, right)


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = (cell.rjust(width) if flush else cell.ljust(width) for cell, width, flush in zip(cells, widths, right, strict=True))
    return "  ".join(padded).rstrip()


def width(cell: str) -> int:
    """Columns that a cell takes."""
    return max(map(len, cell.split("\n")))


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    """A whole table whose columns are as wide as their widest cell."""
    widths = [max((width(row[column]) for row in rows), default=0) for column in range(len(headings))]
    return "\n".join(lines(headings, rows, right, widths))
