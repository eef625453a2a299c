"""What DuckDB is kept from."""

import pytest

from schemas.errors import MissingError, UsageError
from tests.lake_files import contents

REFUSED = [
    "WITH a AS (INSERT INTO settings VALUES ('a', 'b', now()) RETURNING *) SELECT * FROM a",
    "WITH a AS (COPY clips TO 'stolen.csv') SELECT 1",
    "SELECT (WITH a AS (DELETE FROM clips RETURNING *) SELECT count(*) FROM a)",
    "COPY clips TO 'stolen.csv'",
    "COPY (SELECT 1) TO 'stolen.csv'",
    "EXPLAIN ANALYZE COPY clips TO 'stolen.csv'",
    "EXPLAIN ANALYZE WITH a AS (COPY clips TO 'stolen.csv') SELECT 1",
    "/* */ EXPLAIN /* */ ANALYZE COPY clips TO 'stolen.csv'",
    "EXPORT DATABASE 'stolen'",
    "IMPORT DATABASE 'stolen'",
    "ATTACH 'stolen.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "PRAGMA database_list",
    "CHECKPOINT",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "CREATE SECRET s (TYPE s3)",
    "CREATE MACRO f() AS 1",
    "SELECT * FROM '/etc/hostname'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/hostname')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM query('DROP TABLE clips')",
    "SELECT * FROM query_table('clips')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM parquet_metadata('/etc/passwd')",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM which_secret('s3://a', 's3')",
    "SELECT * FROM (SELECT * FROM clips, LATERAL (SELECT * FROM read_text('/etc/hostname')))",
    "SELECT getenv('HOME')",
]


@pytest.mark.parametrize("query", REFUSED)
def test_duckdb_refuses_what_would_write_or_reach_further(duckdb_engine, asked_lake, tmp_path, monkeypatch, query):
    monkeypatch.chdir(tmp_path)
    before = contents(asked_lake)
    with pytest.raises((UsageError, MissingError)):
        duckdb_engine.answer(query).read_all()
    assert list(tmp_path.iterdir()) == []
    assert contents(asked_lake) == before


@pytest.mark.parametrize("query", ["SELECT * FROM read_text('/etc/hostname')", "COPY clips TO 'stolen.csv'", "SET threads = 1", "ATTACH 'x.db'"])
def test_the_connection_itself_can_reach_nothing_but_the_lake(asked_lake, query):
    """The second guard: what the check of the statement would let slip fails all the same."""
    import duckdb

    from schemas.duck import connect

    with pytest.raises(duckdb.Error, match="disabled|locked"):
        connect(asked_lake.ledger).execute(query).fetchall()


def test_a_query_may_fail_while_it_runs(duckdb_engine):
    with pytest.raises(UsageError, match="boom"):
        duckdb_engine.answer("SELECT error('boom')").read_all()
