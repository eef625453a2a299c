"""How rows are printed: for people, for spreadsheets, for programs."""

import csv
import io
import json

from jobs.sql_output import write
from tests.small_lake import CLIPS, HOSTILE_TITLE


def printed(engine, query: str, format_: str) -> str:
    out = io.StringIO()
    write(engine.answer(query), format_, out)
    return out.getvalue()


def test_escape_sequences_reach_no_terminal(engine):
    for format_ in ("table", "csv", "json"):
        assert "\x1b" not in printed(engine, "SELECT title FROM clip_metadata", format_)


def test_a_title_that_is_a_formula_stays_text_in_a_spreadsheet(engine):
    query = "SELECT title, -1.5 AS n, '-x' AS dash, concat(chr(10), ' =1') AS behind FROM clip_metadata LIMIT 1"
    rows = list(csv.DictReader(io.StringIO(printed(engine, query, "csv"))))
    assert rows[0]["title"].startswith("'=cmd|")
    assert (rows[0]["n"], rows[0]["dash"], rows[0]["behind"]) == ("-1.5", "'-x", "'\n =1")


def test_json_is_a_list_of_rows_with_whole_values(engine):
    rows = json.loads(printed(engine, "SELECT clip_id, title, head, crop FROM clip_metadata ORDER BY clip_id", "json"))
    assert [row["clip_id"] for row in rows] == sorted(CLIPS)
    good = next(row for row in rows if row["clip_id"] == "good")
    assert good["title"] == HOSTILE_TITLE
    assert good["head"]["avg_movement"] == 95.0
    assert good["crop"] is None


def test_values_print_as_people_read_them(duckdb_engine):
    query = "SELECT NULL AS n, true AS b, 1.5 AS d, TIMESTAMPTZ '2026-01-02 03:04:05+00' AS t, [1, 2] AS l, {'a': 'x'} AS s, 'nan'::DOUBLE AS f"
    assert printed(duckdb_engine, query, "table").splitlines()[-1].split() == [
        *("NULL", "true", "1.5"),
        *("2026-01-02", "03:04:05+00:00"),
        *("[1,", "2]"),
        *('{"a":', '"x"}'),
        "nan",
    ]
    assert json.loads(printed(duckdb_engine, query, "json"))[0] == {
        **{"n": None, "b": True, "d": 1.5, "t": "2026-01-02 03:04:05+00:00"},
        **{"l": [1, 2], "s": {"a": "x"}, "f": None},
    }


def test_an_answer_without_rows_still_has_its_form(engine):
    query = "SELECT clip_id FROM clips WHERE false"
    assert printed(engine, query, "csv") == "clip_id\n"
    assert json.loads(printed(engine, query, "json")) == []
    assert printed(engine, query, "table").splitlines()[0] == "clip_id"
