"""The prompt of `talkvid sql`: queries end with `;`; `\\d` lists tables, `\\d TABLE` its columns, `\\q` leaves."""

import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from jobs import sql_output, text_table
from schemas.errors import TalkvidError

if TYPE_CHECKING:
    from jobs.sql import Engine

_TOKEN = re.compile(r"'[^']*(?:'|\Z)|\"[^\"]*(?:\"|\Z)|`[^`]*(?:`|\Z)|--[^\n]*|/\*.*?(?:\*/|\Z)|;|[^'\"`;/-]+|.", re.DOTALL)
"""Strings, names and comments, also unfinished ones, in which a `;` ends nothing."""


def ask(engine: "Engine", format_: str, limit: int | None) -> None:
    """Answer queries from standard input until it ends. On a terminal a mistake is said and the next query awaited; else it is raised."""
    on_terminal = sys.stdin.isatty()
    if on_terminal:
        import readline  # noqa: F401 - gives input() its line editing and history

        print("queries end with ;   \\d lists tables   \\d TABLE its columns   \\q leaves", file=sys.stderr)
    for command in _commands(on_terminal):
        if command == "\\q":
            return
        try:
            sql_output.write(_answer(engine, command), format_, sys.stdout, limit)
            sys.stdout.flush()
        except TalkvidError as error:
            if not on_terminal:
                raise
            print(text_table.escaped(str(error)), file=sys.stderr)


def _answer(engine: "Engine", command: str) -> pa.RecordBatchReader:
    if command == "\\d":
        return pa.table({"table": engine.relations()}).to_reader()
    if command.startswith("\\d "):
        return engine.describe(command.removeprefix("\\d ").strip(" ;"))
    return engine.answer(command)


def _commands(on_terminal: bool) -> Iterator[str]:
    """Backslash commands, and queries without their `;`. What stands without one at the end of the input counts too."""
    held = ""
    while (line := _line("      -> " if held.strip() else "talkvid> ", on_terminal)) is not None:
        if not held.strip() and line.strip().startswith("\\"):
            yield line.strip()
            continue
        queries, held = split(held + line + "\n")
        yield from queries
    if held.strip():
        yield held.strip()


def _line(prompt: str, on_terminal: bool) -> str | None:
    """The next line of standard input, None at its end."""
    try:
        return input(prompt if on_terminal else "")
    except EOFError:
        return None


def split(text: str) -> tuple[list[str], str]:
    """The queries of a text that have ended with `;`, and what follows the last of them.

    Only a convenience: each query is parsed and checked by itself.
    """
    queries, held = [], ""
    for token in _TOKEN.findall(text):
        if token != ";":
            held += token
        elif held.strip():
            queries.append(held.strip())
            held = ""
    return queries, held
