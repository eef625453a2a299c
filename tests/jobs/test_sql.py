"""`talkvid sql`: what is answered, what is refused, and how rows are printed, in both engines."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.sql_duckdb import DuckdbEngine
from jobs.sql_output import write
from jobs.sql_prompt import split
from jobs.sql_spark import SparkEngine
from schemas.active_policy import make_active
from schemas.errors import MissingError, UsageError
from schemas.lake import Lake
from schemas.policy_files import load
from tests.small_lake import CLIPS, HOSTILE_TITLE, make_small_lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    lake = make_small_lake(tmp_path_factory.mktemp("lake"))
    make_active(lake.ledger, load("talkvid"))
    return lake


@pytest.fixture(scope="module", params=["duckdb", "spark"])
def engine(request, lake):
    return DuckdbEngine(lake) if request.param == "duckdb" else SparkEngine(request.getfixturevalue("spark"), lake)


@pytest.fixture(scope="module")
def duckdb_engine(lake) -> DuckdbEngine:
    return DuckdbEngine(lake)


@pytest.fixture(scope="module")
def spark_engine(spark, lake) -> SparkEngine:
    return SparkEngine(spark, lake)


def contents(lake: Lake) -> dict[str, int]:
    """Every file of the lake and its size."""
    return {str(path): path.stat().st_size for path in Path(lake.place.root).rglob("*") if path.is_file()}


def printed(engine, query: str, format_: str) -> str:
    out = io.StringIO()
    write(engine.answer(query), format_, out)
    return out.getvalue()


LET_THROUGH = [
    "SELECT clip_id FROM clip_metadata",
    "WITH a AS (SELECT 1 AS n) SELECT * FROM a;",
    "-- a comment\nSELECT 1 /* another */",
    "VALUES (1, 2)",
    "TABLE clips",
    "FROM clips SELECT clip_id",
    "SELECT 1 UNION ALL SELECT 2",
    "SELECT 1 INTERSECT SELECT 2",
    "SELECT 1 EXCEPT SELECT 2",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r",
    "SELECT a.clip_id FROM clips a JOIN clip_metadata b USING (clip_id) WHERE a.clip_id IN (SELECT clip_id FROM clips)",
    "SELECT language, count(*) AS clips FROM clip_metadata GROUP BY language HAVING count(*) > 0 ORDER BY 2 LIMIT 3 OFFSET 0",
    "SELECT sum(duration_s) OVER (PARTITION BY video_id ORDER BY start_s) FROM clip_metadata",
    "SELECT language, count(*) FROM clip_metadata GROUP BY GROUPING SETS ((language), ())",
    "SELECT * FROM (SELECT shot_index, kind FROM (SELECT 1 AS shot_index, 'a' AS kind) AS t) PIVOT (sum(shot_index) FOR kind IN ('a', 'b'))",
    "SELECT * FROM clips TABLESAMPLE (50 PERCENT)",
    "SELECT * FROM range(3)",
    "SELECT (SELECT max(start_s) FROM clips), EXISTS (SELECT 1)",
    "SELECT head.avg_movement, crop.left FROM clip_metadata WHERE head.avg_movement IS NOT NULL",
    "SELECT * FROM clips QUALIFY row_number() OVER (ORDER BY clip_id) = 1",
    "SHOW TABLES",
    "DESCRIBE clip_metadata",
    "EXPLAIN SELECT * FROM clips",
    "SELECT rule, clips_out FROM funnel",
    "SELECT count(*) FROM curated",
]
REFUSED = [
    "",
    "-- nothing",
    "SELEC 1",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE clips",
    "INSERT INTO settings VALUES ('a', 'b', now())",
    "WITH a AS (SELECT 1) INSERT INTO settings SELECT * FROM a",
    "UPDATE settings SET value = 'x'",
    "DELETE FROM clips",
    "TRUNCATE TABLE clips",
    "MERGE INTO clips USING clip_metadata m ON clips.clip_id = m.clip_id WHEN MATCHED THEN DELETE",
    "CREATE TABLE x AS SELECT 1",
    "CREATE VIEW x AS SELECT 1",
    "CREATE TEMP VIEW x AS SELECT 1",
    "DROP TABLE clips",
    "ALTER TABLE clips ADD COLUMN x INT",
    "COMMENT ON TABLE clips IS 'x'",
    "VACUUM clips",
    "ANALYZE TABLE clips COMPUTE STATISTICS",
    "SET a = 1",
    "RESET",
    "USE memory",
    "CALL something()",
    "EXPLAIN DROP TABLE clips",
    "EXPLAIN INSERT INTO settings VALUES ('a', 'b', now())",
    "BEGIN",
    "GRANT SELECT ON clips TO you",
]
REFUSED_BY_DUCKDB = [
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
REFUSED_BY_SPARK = [
    "FROM clips INSERT INTO settings SELECT clip_id, clip_id, now()",
    "FROM clips INSERT INTO settings SELECT clip_id INSERT INTO runs SELECT clip_id",
    "INSERT OVERWRITE DIRECTORY '/tmp/stolen' USING csv SELECT 1",
    "CREATE FUNCTION f AS 'a.b'",
    "CREATE TEMPORARY FUNCTION f() RETURNS INT RETURN 1",
    "OPTIMIZE clips",
    "RESTORE TABLE clips TO VERSION AS OF 0",
    "REORG TABLE clips APPLY (PURGE)",
    "CREATE TABLE x SHALLOW CLONE clips",
    "CONVERT TO DELTA parquet.`/tmp/x`",
    "GENERATE symlink_format_manifest FOR TABLE clips",
    "LOAD DATA INPATH '/tmp/x' INTO TABLE clips",
    "SET",
    "SET VAR x = 1",
    "SET TIME ZONE 'UTC'",
    "DECLARE x INT",
    "CACHE TABLE clips",
    "UNCACHE TABLE clips",
    "REFRESH TABLE clips",
    "REFRESH '/tmp'",
    "ADD JAR '/tmp/x.jar'",
    "ADD FILE '/etc/hostname'",
    "LIST JAR",
    "EXECUTE IMMEDIATE 'SELECT 1'",
    "BEGIN SELECT 1; END",
    "SELECT TRANSFORM(clip_id) USING 'cat' FROM clips",
    "SELECT * FROM (FROM clips MAP clip_id USING 'cat')",
    "SELECT reflect('java.lang.System', 'getProperty', 'user.home')",
    "SELECT java_method('java.lang.System', 'getProperty', 'user.home')",
    "SELECT try_reflect('java.lang.System', 'getProperty', 'user.home')",
    "SELECT builtin.reflect('java.lang.System', 'getProperty', 'user.home')",
    "SELECT system.builtin.reflect('java.lang.System', 'getProperty', 'user.home')",
    "SELECT transform(array(1), x -> reflect('java.lang.System', 'getProperty', 'user.home'))",
    "SELECT (SELECT reflect('java.lang.System', 'getProperty', 'user.home'))",
    "SELECT 1 ORDER BY reflect('java.lang.System', 'getProperty', 'user.home')",
    "SELECT IDENTIFIER('reflect')('java.lang.System', 'getProperty', 'user.home')",
    "DESCRIBE QUERY SELECT reflect('java.lang.System', 'getProperty', 'user.home')",
    "EXPLAIN WITH a AS (SELECT 1) INSERT INTO settings SELECT * FROM a",
    "SELECT * FROM text.`/etc/hostname`",
    "SELECT * FROM csv.`/etc/passwd`",
    "SELECT * FROM IDENTIFIER('text.`/etc/hostname`')",
    "SELECT (SELECT max(value) FROM text.`/etc/hostname`)",
    "SELECT * FROM clips WHERE clip_id IN (SELECT value FROM text.`/etc/hostname`)",
    "SELECT * FROM clips, LATERAL (SELECT * FROM text.`/etc/hostname`)",
    "SELECT * FROM read_files('/etc')",
    "DESCRIBE DETAIL '/tmp'",
    "DESCRIBE HISTORY delta.`/tmp`",
    "MSCK REPAIR TABLE clips",
]


@pytest.mark.parametrize("query", LET_THROUGH)
def test_a_query_is_answered(engine, query):
    answer = engine.answer(query)
    assert answer.schema.names
    answer.read_all()


@pytest.mark.parametrize("query", REFUSED)
def test_what_is_no_query_is_refused_and_nothing_changes(engine, lake, query):
    before = contents(lake)
    with pytest.raises(UsageError) as raised:
        engine.answer(query).read_all()
    assert "\n" not in str(raised.value)
    assert contents(lake) == before


@pytest.mark.parametrize("query", REFUSED_BY_DUCKDB)
def test_duckdb_refuses_what_would_write_or_reach_further(duckdb_engine, lake, tmp_path, monkeypatch, query):
    monkeypatch.chdir(tmp_path)
    before = contents(lake)
    with pytest.raises((UsageError, MissingError)):
        duckdb_engine.answer(query).read_all()
    assert list(tmp_path.iterdir()) == []
    assert contents(lake) == before


@pytest.mark.parametrize("query", REFUSED_BY_SPARK)
def test_spark_refuses_what_would_write_or_reach_further(spark_engine, lake, query):
    before = contents(lake)
    with pytest.raises(UsageError) as raised:
        spark_engine.answer(query).read_all()
    assert "\n" not in str(raised.value)
    assert contents(lake) == before
    assert not Path("/tmp/stolen").exists()


@pytest.mark.parametrize("query", ["SELECT * FROM read_text('/etc/hostname')", "COPY clips TO 'stolen.csv'", "SET threads = 1", "ATTACH 'x.db'"])
def test_the_connection_itself_can_reach_nothing_but_the_lake(lake, query):
    """The second guard: what the check of the statement would let slip fails all the same."""
    import duckdb

    from schemas.duck import connect

    with pytest.raises(duckdb.Error, match="disabled|locked"):
        connect(lake.ledger).execute(query).fetchall()


def test_spark_leaves_the_environment_out_of_queries(spark_engine, monkeypatch):
    answer = spark_engine.answer("SELECT '${env:HOME}' AS a, '${system:user.home}' AS b").read_all()
    assert answer.to_pylist() == [{"a": "${env:HOME}", "b": "${system:user.home}"}]


def test_spark_reads_no_file_that_xml_names(spark_engine, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("canary")
    xml = f'<!DOCTYPE a [<!ENTITY e SYSTEM "file://{secret}">]><a>&e;</a>'
    for query in (f"SELECT xpath_string('{xml}', 'a') AS x", f"SELECT from_xml('{xml}', 'a STRING') AS x"):
        try:
            assert "canary" not in str(spark_engine.answer(query).read_all().to_pylist())
        except UsageError as refusal:
            assert "canary" not in str(refusal)


def test_the_session_of_the_program_stays_as_it_was(spark, spark_engine):
    assert spark.conf.get("spark.sql.variable.substitute") == "true"
    assert spark.sql("SELECT reflect('java.lang.Math', 'abs', -1) AS x").collect()[0]["x"] == "1"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT * FROM nothing", "there is no table or view nothing; there are: videos"),
        ("SELECT nothing FROM clips", "nothing"),
        ("SELECT head.nothing FROM clip_metadata", "nothing"),
    ],
)
def test_a_table_or_column_that_is_not_there_is_missing(engine, query, said):
    with pytest.raises(MissingError, match=said):
        engine.answer(query).read_all()


@pytest.mark.parametrize("view", ["curated", "funnel"])
def test_views_without_an_active_policy_say_how_to_get_one(request, tmp_path, view):
    lake = make_small_lake(tmp_path)
    for engine in (DuckdbEngine(lake), SparkEngine(request.getfixturevalue("spark"), lake)):
        with pytest.raises(MissingError, match="no policy is active .* talkvid filter --policy lite --save"):
            engine.answer(f"SELECT * FROM {view}")


def test_both_engines_give_the_same_funnel(duckdb_engine, spark_engine):
    query = "SELECT * FROM funnel"
    assert duckdb_engine.answer(query).read_all().to_pylist() == spark_engine.answer(query).read_all().to_pylist()


def test_relations_are_the_tables_and_views(engine):
    assert {"clips", "clip_metadata", "verdicts", "curated", "funnel"} <= set(engine.relations())


def test_a_query_may_fail_while_it_runs(duckdb_engine):
    with pytest.raises(UsageError, match="boom"):
        duckdb_engine.answer("SELECT error('boom')").read_all()


def test_escape_sequences_reach_no_terminal(engine):
    for format_ in ("table", "csv", "json"):
        assert "\x1b" not in printed(engine, "SELECT title FROM clip_metadata", format_)


def test_a_title_that_is_a_formula_stays_text_in_a_spreadsheet(engine):
    rows = list(csv.DictReader(io.StringIO(printed(engine, "SELECT title, -1.5 AS n, '-x' AS dash FROM clip_metadata LIMIT 1", "csv"))))
    assert rows[0]["title"].startswith("'=cmd|")
    assert (rows[0]["n"], rows[0]["dash"]) == ("-1.5", "'-x")


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


def test_the_prompt_ends_queries_at_semicolons_outside_of_text():
    assert split("select ';' as a; select 1 -- ; no\n; select 2") == (["select ';' as a", "select 1 -- ; no"], " select 2")
    assert split("select 'a;") == ([], "select 'a;")
    assert split("select /* ; ") == ([], "select /* ; ")
    assert split("select 4/2-1;") == (["select 4/2-1"], "")


def talkvid(lake: Lake, *words: str, given: str = "") -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "jobs.cli", "sql", "--lake", lake.place.root, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, input=given, env=dict(os.environ))


def test_only_rows_stand_on_stdout(lake):
    answer = talkvid(lake, "--engine", "duckdb", "--format", "csv", "SELECT clip_id FROM clips ORDER BY 1")
    assert (answer.returncode, answer.stdout) == (0, "clip_id\n" + "".join(f"{name}\n" for name in sorted(CLIPS)))
    assert answer.stderr == ""


def test_limit_bounds_the_rows(lake):
    assert talkvid(lake, "--engine", "duckdb", "--format", "csv", "--limit", "2", "FROM clips").stdout.count("\n") == 3


@pytest.mark.parametrize(
    ("query", "status"),
    [("DROP TABLE clips", 2), ("SELEC", 2), ("SELECT * FROM nothing", 3), ("SELECT nothing FROM clips", 3)],
)
def test_a_mistake_is_one_sentence_and_its_status(lake, query, status):
    answer = talkvid(lake, "--engine", "duckdb", query)
    assert (answer.returncode, answer.stdout, len(answer.stderr.strip().splitlines())) == (status, "", 1)


def test_a_query_is_read_from_a_file(lake, tmp_path):
    (tmp_path / "q.sql").write_text("SELECT count(*) AS n\nFROM clips;\n")
    assert json.loads(talkvid(lake, "--engine", "duckdb", "-f", str(tmp_path / "q.sql"), "--json").stdout) == [{"n": len(CLIPS)}]
    assert talkvid(lake, "--engine", "duckdb", "-f", str(tmp_path / "none.sql")).returncode == 2


def test_without_a_query_it_reads_them_from_its_input(lake):
    answer = talkvid(lake, "--engine", "duckdb", "--format", "csv", given="SELECT 1 AS a;\nSELECT\n 2 AS b;\n\\d\n\\d settings\n\\q\nSELECT 3;\n")
    lines = answer.stdout.splitlines()
    assert lines[:4] == ["a", "1", "b", "2"]
    assert "clip_metadata" in lines
    assert any(line.startswith("set_at,") for line in lines)
    assert "3" not in lines


def test_spark_answers_the_same_on_the_command_line_and_refuses(lake):
    queries = "SELECT rule, clips_out FROM funnel WHERE step = 1;\nDROP TABLE clips;\nSELECT 3;\n"
    answer = talkvid(lake, "--format", "csv", "--master", "local[1]", given=queries)
    assert (answer.returncode, answer.stdout) == (2, f"rule,clips_out\nsegmented,{len(CLIPS)}\n")
    assert "talkvid sql only reads" in answer.stderr.strip().splitlines()[-1]


def test_duckdb_polars_and_delta_rs_read_clip_metadata(lake):
    """Any Delta reader will do."""
    import duckdb
    import polars
    from deltalake import DeltaTable

    path = lake.place.table("clip_metadata")
    expected = sorted(CLIPS)
    assert sorted(DeltaTable(path).to_pyarrow_table()["clip_id"].to_pylist()) == expected
    assert polars.read_delta(path).sort("clip_id")["clip_id"].to_list() == expected
    assert polars.scan_delta(path).select(polars.col("head").struct.field("avg_movement").max()).collect().item() == 95.0
    found = duckdb.from_arrow(DeltaTable(path).to_pyarrow_dataset()).aggregate("max(head.avg_movement)").fetchall()
    assert found == [(95.0,)]
