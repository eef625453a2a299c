"""What several verbs' tests stand on: a small lake that both engines of `talkvid sql` are asked of, which no test changes."""

import pytest

from jobs.sql_duckdb import DuckdbEngine
from jobs.sql_spark import SparkEngine
from schemas.active_policy import make_active
from schemas.lake import Lake
from schemas.policy_files import load
from tests.small_lake import make_small_lake


@pytest.fixture(scope="session")
def asked_lake(tmp_path_factory) -> Lake:
    """Six clips, policy `talkvid`."""
    lake = make_small_lake(tmp_path_factory.mktemp("lake"))
    make_active(lake.ledger, load("talkvid"))
    return lake


@pytest.fixture(scope="session", params=["duckdb", "spark"])
def engine(request, asked_lake):
    """Both engines in turn."""
    return request.getfixturevalue(f"{request.param}_engine")


@pytest.fixture(scope="session")
def duckdb_engine(asked_lake) -> DuckdbEngine:
    """DuckDB over the lake."""
    return DuckdbEngine(asked_lake)


@pytest.fixture(scope="session")
def spark_engine(spark, asked_lake) -> SparkEngine:
    """Spark over the lake."""
    return SparkEngine(spark, asked_lake)
