"""What Spark is kept from."""

import shutil
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql.functions import pandas_udf

from jobs.sql_spark import ADDRESS_READERS, CODE_RUNNERS, SparkEngine
from schemas.errors import MissingError, TalkvidError, UsageError, VerificationError
from tests.lake_files import contents
from tests.small_lake import make_small_lake

REFUSED = [
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
    "SELECT * FROM text.`/etc/hostname` VERSION AS OF 0",
    "SELECT * FROM delta.`/tmp` TIMESTAMP AS OF '2026-01-01'",
]


@pytest.mark.parametrize("query", REFUSED)
def test_spark_refuses_what_would_write_or_reach_further(spark_engine, asked_lake, query):
    before = contents(asked_lake)
    with pytest.raises(UsageError) as raised:
        spark_engine.answer(query).read_all()
    assert "\n" not in str(raised.value)
    assert contents(asked_lake) == before
    assert not Path("/tmp/stolen").exists()


def test_time_travel_takes_plain_names_only(spark_engine):
    with pytest.raises(UsageError, match="by their plain names"):
        spark_engine.answer("SELECT * FROM text.`/etc/hostname` VERSION AS OF 0")


def test_spark_leaves_the_environment_out_of_queries(spark_engine, monkeypatch):
    answer = spark_engine.answer("SELECT '${env:HOME}' AS a, '${system:user.home}' AS b").read_all()
    assert answer.to_pylist() == [{"a": "${env:HOME}", "b": "${system:user.home}"}]


@pytest.fixture(scope="module")
def listener():
    """A port of this machine that answers every request, and the paths that were asked for."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 - the library's name
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


READERS = [
    """SELECT xpath_string('<!DOCTYPE a [<!ENTITY e SYSTEM "{file}">]><a>&e;</a>', 'a')""",
    """SELECT xpath_string('<!DOCTYPE a SYSTEM "{file}.dtd"><a>&e;</a>', 'a')""",
    """SELECT xpath('<!DOCTYPE a SYSTEM "{file}.dtd"><a>&e;</a>', 'a/text()')""",
    """SELECT xpath_string(concat('<!DOCTYPE a SYSTEM "{http}/', (SELECT max(video_id) FROM videos), '"><a/>'), 'a')""",
    """SELECT xpath_int('<!DOCTYPE a SYSTEM "{http}/int"><a>1</a>', 'a')""",
    """SELECT from_xml('<!DOCTYPE a [<!ENTITY e SYSTEM "{file}">]><a>&e;</a>', 'a STRING')""",
    """SELECT from_xml('<a/>', 'a STRING', map('rowValidationXSDPath', '{http}/xsd'))""",
    """SELECT schema_of_xml('<a><b>1</b></a>', map('rowValidationXSDPath', '{http}/schema'))""",
]


@pytest.mark.parametrize("query", READERS)
def test_spark_opens_nothing_that_xml_names(spark_engine, tmp_path, listener, query):
    address, asked = listener
    secret = tmp_path / "secret"
    secret.write_text("canary")
    Path(f"{secret}.dtd").write_text('<!ENTITY e "canary">')
    with pytest.raises(UsageError) as raised:
        spark_engine.answer(query.format(file=f"file://{secret}", http=address)).read_all()
    assert "canary" not in str(raised.value)
    assert not asked


def test_every_function_that_opens_addresses_is_one_that_spark_has(spark):
    known = {row[0] for row in spark.sql("SHOW SYSTEM FUNCTIONS").collect()}
    assert set(CODE_RUNNERS) | set(ADDRESS_READERS) <= known
    assert {name for name in known if "xml" in name or "xpath" in name} <= {*ADDRESS_READERS, "to_xml"}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT CAST(clip_id AS INT) FROM clips", "cannot be cast to"),
        ("SELECT raise_error(concat(clip_id, ' is wrong')) FROM clips", "is wrong"),
        ("SELECT 1 / (duration_s - duration_s) FROM videos", "Division by zero"),
    ],
)
def test_what_fails_in_the_middle_is_said_in_its_own_words(spark_engine, query, said):
    with pytest.raises(UsageError, match=said) as raised:
        spark_engine.answer(query).read_all()
    assert "An error occurred" not in str(raised.value) and "\n" not in str(raised.value)


def test_a_table_that_an_older_lake_lacks_is_empty(spark, tmp_path):
    lake = make_small_lake(tmp_path / "lake")
    shutil.rmtree(lake.place.table("bench"))
    engine = SparkEngine(spark, lake)
    assert engine.answer("SELECT * FROM bench").read_all().num_rows == 0
    assert "bench" in engine.answer("SHOW TABLES").read_all()["tableName"].to_pylist()


def test_the_session_of_the_program_stays_as_it_was(spark, spark_engine):
    assert spark.conf.get("spark.sql.variable.substitute") == "true"
    assert spark.sql("SELECT reflect('java.lang.Math', 'abs', -1) AS x").collect()[0]["x"] == "1"


def test_a_scorer_without_its_weights_says_how_to_get_them(spark, asked_lake, tmp_path, monkeypatch):
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path / "weights"))
    engine = SparkEngine(spark, asked_lake)
    with pytest.raises(MissingError, match="no function dover here: the weights dover .*talkvid weights fetch dover"):
        engine.answer("SELECT Dover(clip_id, 'x', 0, 1) FROM clips")
    with pytest.raises(UsageError, match="Cannot resolve routine `nonsense`"):
        engine.answer("SELECT nonsense(1)")


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (VerificationError("the weights dover at /x are others; fetch them again"), VerificationError, "the weights dover at /x are others; fetch them again"),
        (ZeroDivisionError("division by zero"), TalkvidError, "a function of this query failed: ZeroDivisionError: division by zero"),
    ],
)
def test_what_fails_in_a_function_is_told_by_its_last_line(spark_engine, error, kind, said):
    @pandas_udf("int")
    def bad(values: pd.Series) -> pd.Series:
        raise error

    spark_engine._session.udf.register("bad", bad)
    with pytest.raises(kind) as raised:
        spark_engine.answer("SELECT bad(1)").read_all()
    assert type(raised.value) is kind and str(raised.value) == said
