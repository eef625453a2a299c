"""A cluster per test module, raised for real; skipped with one line where it cannot be."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster_real.lakes import talkvid_alone
from tests.cluster_real.nodes import Cluster, lacking
from udfs.footage.tiny import tiny_video


@pytest.fixture(scope="session", autouse=True)
def _can_raise() -> None:
    """Skip what needs a cluster where none can be had."""
    reason = lacking()
    if reason:
        pytest.skip(f"no cluster here: {reason}")


@pytest.fixture(scope="session", autouse=True)
def _activated() -> Iterator[None]:
    """Programs of this Python environment are found by their names, as in an activated one: `make test-cluster` activates none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        yield


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers of two cores."""
    with Cluster(tmp_path_factory.mktemp("cluster")) as raised:
        yield raised


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos of two shots each, and a file that is no medium."""
    folder = tmp_path_factory.mktemp("footage")
    for seed in range(3):
        tiny_video(folder / f"talk {seed}.mp4", seconds=8, shots=2, seed=seed)
    (folder / "broken.mp4").write_bytes(b"not a medium")
    return folder


@pytest.fixture(scope="session")
def alone(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lake and export that local[2] makes of the footage."""
    folder = tmp_path_factory.mktemp("alone")
    talkvid_alone("run", str(footage), "--lake", str(folder / "lake"), "--export", str(folder / "out"))
    return folder


@pytest.fixture(scope="session")
def segmented(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of the footage whose clips wait to be scored."""
    lake = tmp_path_factory.mktemp("segmented") / "lake"
    talkvid_alone("ingest", str(footage), "--lake", str(lake))
    talkvid_alone("segment", "--lake", str(lake))
    return lake
