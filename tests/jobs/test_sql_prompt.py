"""Where a query ends."""

import io
import sys

from jobs.sql_prompt import ask, split


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_mistake_on_a_terminal_is_said_without_what_acts_on_it(duckdb_engine, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", _Terminal("SELECT error(chr(27) || '[2J');\nSELECT 1 AS one;\n"))
    ask(duckdb_engine, "csv", None)
    said = capsys.readouterr()
    assert "\\x1b[2J" in said.err and "\x1b" not in said.err
    assert "one\n1\n" in said.out


def test_the_prompt_ends_queries_at_semicolons_outside_of_text():
    assert split("select ';' as a; select 1 -- ; no\n; select 2") == (["select ';' as a", "select 1 -- ; no"], " select 2")
    assert split("select 'a;") == ([], "select 'a;")
    assert split("select /* ; ") == ([], "select /* ; ")
    assert split("select 4/2-1;") == (["select 4/2-1"], "")
