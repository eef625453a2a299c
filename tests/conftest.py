"""Fixtures of all tests: one Spark session, the shared corpus where it is there."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cluster_real.s3_server import S3Server

os.environ.setdefault("OMP_NUM_THREADS", "1")


def shared_folder() -> Path:
    """Folder with the shared corpus and models; may not exist."""
    return Path(os.environ.get("TALKVID_SHARED") or Path(__file__).resolve().parents[2] / "shared")


@pytest.fixture(scope="session")
def spark() -> Iterator["object"]:
    """The one Spark session of the suite, made as every job makes it."""
    from cluster.session import spark_session

    session = spark_session("local[2,4]", {"spark.driver.memory": "1500m"})
    yield session
    session.stop()


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Real footage; tests that take it are skipped where it is absent."""
    folder = shared_folder() / "corpus"
    if not folder.is_dir():
        pytest.skip("the shared corpus is not here")
    return folder


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """Two small real face detectors; tests that take them are skipped where they are absent."""
    folder = shared_folder() / "models"
    if not folder.is_dir():
        pytest.skip("the shared models are not here")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that ask for the S3 server are marked, so that `make test-cluster`, which builds it, runs them too."""
    for item in items:
        if "s3_server" in getattr(item, "fixturenames", ()):
            item.add_marker("store")


@pytest.fixture(scope="module")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[S3Server]":
    """An S3 server with an empty bucket, for all tests of a module, and the environment that leads to it."""
    from tests.cluster_real.s3_server import built, serving

    if built() is None:
        pytest.skip("no S3 server here: needs versitygw on the path, or Go and make test-cluster, which builds it and runs these tests")
    with serving(tmp_path_factory.mktemp("s3") / "store") as running:
        yield running
