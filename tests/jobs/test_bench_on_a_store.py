"""A benchmark under a prefix of an object store: the same files and records as in a folder."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa

from jobs import bench
from schemas import storage
from tests.jobs.test_bench import CONFIG, lake, media, without_spark  # noqa: F401

OUT = "s3a://lake-bucket/some/bench"


def cut_here(spark: Any, items: list[dict], worker: Any, **rest: Any) -> Iterator[pa.Table]:
    """Cuts in this process instead of in Spark's."""
    yield pa.Table.from_pylist([row for _, rows in worker(items) for row in rows], schema=rest["schema"])


def below(prefix: str) -> dict[str, int]:
    return {file.uri.removeprefix(f"{prefix}/"): file.bytes for file in storage.listed(prefix) if not file.uri.endswith(".json")}


def test_the_store_holds_what_a_folder_holds_and_clips_that_are_not_wanted_any_more_go(s3_server, lake, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(bench, "in_batches", cut_here)
    there, here = replace(CONFIG, out=OUT), replace(CONFIG, out=str(tmp_path / "out"))
    for config in (there, here):
        assert bench.run("no session is needed", lake, config).counts == {"in": 6, "wanted": 6, "written": 6, "present": 0, "failed": 0}
    assert below(OUT) == below(here.out) and len(below(OUT)) == 6 * 4
    for axis in ("gender", "language"):
        texts = [storage.read_bytes(f"{config.out}/{axis}/test_{axis}.json") for config in (there, here)]
        assert texts[0] == texts[1] and all(record["video-crop-path"] in below(f"{OUT}/{axis}") for record in json.loads(texts[0]))
    assert without_spark(lake, there).counts["present"] == 6
    assert without_spark(lake, replace(there, axes=(("gender", 2),))).counts["wanted"] == 2
    assert {file.uri.split("/")[5] for file in storage.listed(OUT)} == {"gender"}
