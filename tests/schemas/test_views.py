"""The views `curated` and `funnel`: the same rows in DuckDB and in Spark."""

import shutil
from collections.abc import Callable

import pyarrow as pa
import pytest

from schemas import duck
from schemas.active_policy import active_policy, make_active
from schemas.lake import Lake
from schemas.policy import Policy
from schemas.policy_files import load
from schemas.tables import TABLES
from schemas.views import curated_sql, funnel_sql, verdicts_sql
from tests.small_lake import CLIP_S, CLIPS, TALKVID_FAILED, VIDEO_S, make_small_lake

Ask = Callable[[str], list[dict]]
COLUMNS = ["policy", "policy_hash", "step", "rule", "expression", "clips_in", "clips_out", "hours_in", "hours_out", "missing"]
DECIDED_AT = "2026-01-02T03:04:05+00:00"


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    return make_small_lake(tmp_path_factory.mktemp("lake with spaces & ümlauts"))


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load("talkvid")


@pytest.fixture(scope="module", params=["duckdb", "spark"])
def ask(request, lake) -> Ask:
    if request.param == "duckdb":
        connection = duck.connect(lake.ledger)
        return lambda query: connection.sql(query).to_arrow_table().to_pylist()
    session = request.getfixturevalue("spark").newSession()
    lake.register(session)
    return lambda query: session.sql(query).toArrow().to_pylist()


def test_funnel_has_the_columns_of_the_contract(ask, policy):
    assert all(list(row) == COLUMNS for row in ask(funnel_sql(policy)))


def test_funnel_begins_with_hours_of_videos_and_clips_of_segments(ask, policy):
    ingested, segmented, *_ = ask(funnel_sql(policy))
    assert (ingested["step"], ingested["rule"], ingested["clips_in"], ingested["clips_out"]) == (0, "ingested", None, None)
    assert ingested["hours_out"] == pytest.approx(VIDEO_S / 3600)
    assert (segmented["step"], segmented["rule"], segmented["clips_in"], segmented["clips_out"]) == (1, "segmented", None, len(CLIPS))
    assert segmented["hours_in"] == pytest.approx(VIDEO_S / 3600)
    assert segmented["hours_out"] == pytest.approx(len(CLIPS) * CLIP_S / 3600)


def test_funnel_follows_the_rules_in_order(ask, policy):
    rows = ask(funnel_sql(policy))
    assert [row["step"] for row in rows] == list(range(len(policy.rules) + 2))
    assert [row["rule"] for row in rows[2:]] == [rule.name for rule in policy.rules]
    assert [row["expression"] for row in rows[2:]] == [rule.expression for rule in policy.rules]
    assert {(row["policy"], row["policy_hash"]) for row in rows} == {("talkvid", policy.policy_hash)}


def test_every_step_takes_in_what_the_last_one_let_out(ask, policy):
    rows = ask(funnel_sql(policy))[1:]
    for before, after in zip(rows, rows[1:], strict=False):
        assert after["clips_in"] == before["clips_out"]
        assert after["hours_in"] == pytest.approx(before["hours_out"])
        assert after["hours_out"] == pytest.approx(after["clips_out"] * CLIP_S / 3600)


def test_a_clip_without_a_value_is_dropped_and_counted_as_missing(ask, policy):
    dover = ask(funnel_sql(policy))[2]
    assert (dover["clips_in"], dover["clips_out"], dover["missing"]) == (6, 2, 2)


def test_a_moved_threshold_moves_the_funnel(ask, policy):
    kept = {value: ask(funnel_sql(policy.with_set({"avg_movement": value})))[-1]["clips_out"] for value in ("80", "82", "82.5", "99")}
    assert kept == {"80": 2, "82": 2, "82.5": 1, "99": 0}


def test_nan_is_missing_though_the_files_statistics_hide_it(tmp_path, policy):
    lake = make_small_lake(tmp_path)
    rows = [row for row in lake.ledger.read("clip_metadata").to_pylist() if row["clip_id"] in ("good", "nan", "restless")]
    lake.ledger.overwrite("clip_metadata", pa.Table.from_pylist(rows, TABLES["clip_metadata"].schema).to_reader())
    steps = duck.connect(lake.ledger, policy).sql("SELECT clips_in, clips_out, missing FROM funnel WHERE step = 2").fetchall()
    assert steps == [(3, 2, 1)]


@pytest.mark.parametrize("dialect", ["duckdb", "spark"])
def test_verdicts_name_every_failed_rule(request, lake, policy, dialect):
    if dialect == "duckdb":
        rows = duck.connect(lake.ledger).sql(verdicts_sql(policy, "duckdb", DECIDED_AT)).to_arrow_table().to_pylist()
    else:
        session = request.getfixturevalue("spark").newSession()
        lake.register(session)
        rows = session.sql(verdicts_sql(policy, "spark", DECIDED_AT)).toArrow().to_pylist()
    failed = {row["clip_id"]: row["failed_rules"] for row in rows}
    unscored = failed.pop("unscored")
    assert failed == TALKVID_FAILED
    assert unscored == [f"{rule.name}:missing" for rule in policy.rules]
    assert all(row["kept"] == (not row["failed_rules"]) for row in rows)
    assert {row["decided_at"].isoformat() for row in rows} == {DECIDED_AT}


@pytest.mark.parametrize("engine", ["duckdb", "spark"])
def test_curated_shows_what_the_verdicts_keep(request, tmp_path, policy, engine):
    lake = make_small_lake(tmp_path)
    rows = duck.connect(lake.ledger).sql(verdicts_sql(policy, "duckdb", DECIDED_AT)).to_arrow_reader(1000)
    lake.ledger.overwrite("verdicts", rows)
    other = policy.with_set({"avg_movement": "99"})
    if engine == "duckdb":
        ask = lambda query: duck.connect(lake.ledger).sql(query).to_arrow_table()
    else:
        session = request.getfixturevalue("spark").newSession()
        lake.register(session)
        ask = lambda query: session.sql(query).toArrow()
    table = ask(curated_sql(policy))
    assert sorted(table["clip_id"].to_pylist()) == ["good", "restless"]
    assert table.column_names[-3:] == ["policy", "policy_hash", "decided_at"]
    assert table.column_names[:-3] == lake.ledger.read("clip_metadata").column_names
    assert ask(curated_sql(other)).num_rows == 0


def test_views_are_there_once_a_policy_is_active(lake, policy):
    assert active_policy(lake.ledger) is None
    tables = {row[0] for row in duck.connect(lake.ledger).execute("SHOW TABLES").fetchall()}
    assert not tables & {"curated", "funnel"}
    changed = policy.with_set({"avg_movement": "85"})
    make_active(lake.ledger, changed)
    assert active_policy(lake.ledger) == changed
    assert duck.connect(lake.ledger).execute("SELECT expression FROM funnel WHERE rule = 'avg_movement'").fetchall() == [("head.avg_movement >= 85",)]


def test_an_empty_lake_has_a_funnel_of_nothing(tmp_path, policy):
    lake = Lake.at(str(tmp_path))
    lake.ledger.create()
    rows = duck.connect(lake.ledger, policy).sql("SELECT clips_out, hours_out FROM funnel").fetchall()
    assert rows == [(None, 0.0)] + [(0, 0.0)] * (len(policy.rules) + 1)


def test_table_that_an_older_lake_lacks_is_empty(tmp_path):
    lake = make_small_lake(tmp_path)
    shutil.rmtree(tmp_path / "tables" / "exports")
    with duck.connect(lake.ledger) as engine:
        assert engine.execute("SELECT count(*) FROM exports").fetchall() == [(0,)]
