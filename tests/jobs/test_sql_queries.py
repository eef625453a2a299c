"""What both engines of `talkvid sql` answer and refuse."""

import re
from pathlib import Path

import pytest

from jobs import filter as filter_
from jobs.sql_duckdb import DuckdbEngine
from jobs.sql_spark import SparkEngine
from schemas.errors import MissingError, UsageError
from schemas.lake import Lake
from schemas.policy_files import load
from tests.lake_files import contents
from tests.small_lake import make_small_lake

README = Path(__file__).parents[2] / "README.md"
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


@pytest.mark.parametrize("query", LET_THROUGH)
def test_a_query_is_answered(engine, query):
    answer = engine.answer(query)
    assert answer.schema.names
    answer.read_all()


@pytest.mark.parametrize("query", REFUSED)
def test_what_is_no_query_is_refused_and_nothing_changes(engine, asked_lake, query):
    before = contents(asked_lake)
    with pytest.raises(UsageError) as raised:
        engine.answer(query).read_all()
    assert "\n" not in str(raised.value)
    assert contents(asked_lake) == before


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


@pytest.fixture(scope="module")
def judged_lake(tmp_path_factory) -> Lake:
    """The small lake with the verdicts of its active policy, and those of another one."""
    lake = make_small_lake(tmp_path_factory.mktemp("judged"))
    for policy in ("lite", "talkvid"):
        filter_.run(None, lake, filter_.FilterConfig(load(policy), save=True))
    return lake


@pytest.mark.parametrize("query", re.search(r"```sql\n(.*?)```", README.read_text(), re.DOTALL)[1].strip().split("\n\n"))
def test_what_the_readme_asks_is_answered_alike_by_both_engines(spark, judged_lake, query):
    in_duckdb = DuckdbEngine(judged_lake).answer(query).read_all()
    in_spark = SparkEngine(spark, judged_lake).answer(query.replace("unnest(", "explode(")).read_all()
    assert sorted(map(str, in_duckdb.to_pylist())) == sorted(map(str, in_spark.to_pylist()))
    assert in_duckdb.num_rows > 0 or "FROM failures" in query


def test_both_engines_give_the_same_funnel(duckdb_engine, spark_engine):
    query = "SELECT * FROM funnel"
    assert duckdb_engine.answer(query).read_all().to_pylist() == spark_engine.answer(query).read_all().to_pylist()


def test_relations_are_the_tables_and_views(engine):
    assert {"clips", "clip_metadata", "verdicts", "curated", "funnel"} <= set(engine.relations())
