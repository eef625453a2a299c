"""Benchmarks find footage and goldens where `$TALKVID_SHARED` says."""

import importlib
import sys

import pytest


@pytest.mark.parametrize(
    ("benchmark", "reader", "below"),
    [
        ("goldens", "Golden.of", "specs/goldens"),
        ("metrics_goldens", "Golden.of", "specs/goldens"),
        ("vexpress_goldens", "Goldens", "specs/goldens"),
        ("scoring_throughput", "videos_of", "corpus"),
    ],
)
def test_what_is_shared_is_looked_for_where_the_environment_says(benchmark, reader, below, tmp_path, monkeypatch):
    class Asked(Exception):
        """What was to be read."""

    def asked(*places: object) -> None:
        raise Asked(str(places[-1]))

    module = importlib.import_module(f"benchmarks.{benchmark}")
    monkeypatch.setattr(f"{module.__name__}.{reader}", asked)
    monkeypatch.setenv("TALKVID_SHARED", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [benchmark])
    with pytest.raises(Asked, match=f"^{tmp_path}/{below}$"):
        module.main()
