"""Where a query ends."""

from jobs.sql_prompt import split


def test_the_prompt_ends_queries_at_semicolons_outside_of_text():
    assert split("select ';' as a; select 1 -- ; no\n; select 2") == (["select ';' as a", "select 1 -- ; no"], " select 2")
    assert split("select 'a;") == ([], "select 'a;")
    assert split("select /* ; ") == ([], "select /* ; ")
    assert split("select 4/2-1;") == (["select 4/2-1"], "")
