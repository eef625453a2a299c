"""The batch loop: everything once, poison isolated, batches sized by time."""

import os
import signal
from collections.abc import Iterator

import pyarrow as pa

from jobs.batches import in_batches
from jobs.packing import chunks, pack

SCHEMA = pa.schema([("name", pa.string()), ("outcome", pa.string()), ("numbers", pa.list_(pa.float64()))])


def echo(items: list[dict]) -> Iterator[tuple[int, list[dict]]]:
    """A worker that dies of some items."""
    for position, item in enumerate(items):
        if item.get("poison"):
            os.kill(os.getpid(), signal.SIGKILL)
        yield position, [{"name": item["name"], "outcome": "done", "numbers": [1.0, None]}]


def given_up(item: dict) -> list[dict]:
    """Rows of an item that killed its process."""
    return [{"name": item["name"], "outcome": "worker_died", "numbers": None}]


def run(spark, items: list[dict], **options) -> list[pa.Table]:
    """All batches of `echo` over items."""
    return list(
        in_batches(
            spark,
            items,
            echo,
            schema=SCHEMA,
            weigh=lambda item: 1.0,
            group=lambda item: item["video"],
            on_death=given_up,
            verb="test",
            label=lambda item: item["name"],
            quiet=True,
            **options,
        )
    )


def test_every_item_comes_back_once_in_batches_of_the_asked_size(spark):
    items = [{"name": str(i), "video": str(i // 3)} for i in range(20)]
    batches = run(spark, items, commit_every_items=8)
    assert [batch.num_rows for batch in batches] == [8, 8, 4]
    assert sorted(int(row["name"]) for batch in batches for row in batch.to_pylist()) == list(range(20))
    assert batches[0].to_pylist()[0]["numbers"] == [1.0, None]


def test_item_that_kills_python_becomes_one_row_and_the_others_survive(spark):
    items = [{"name": str(i), "video": "v", "poison": i == 5} for i in range(12)]
    rows = [row for batch in run(spark, items) for row in batch.to_pylist()]
    outcomes = {row["name"]: row["outcome"] for row in rows}
    assert len(rows) == 12
    assert outcomes.pop("5") == "worker_died"
    assert set(outcomes.values()) == {"done"}


def test_chunks_keep_a_group_together_and_bins_shrink_so_that_slots_end_together():
    items = [{"group": "long", "weight": 1.0} for _ in range(600)] + [{"group": f"short{i}", "weight": 1.0} for i in range(40)]
    pieces = chunks(items, lambda item: item["group"])
    assert [len(piece) for piece in pieces[:3]] == [256, 256, 88]
    bins = pack(chunks(items, lambda item: item["group"], most=16), lambda item: item["weight"], 2)
    sizes = [len(filled) for filled in bins]
    assert sum(sizes) == 640
    assert sizes == sorted(sizes, reverse=True)
    assert _makespan(sizes, slots=2) <= 1.02 * 640 / 2
    assert bins == pack(chunks(items, lambda item: item["group"], most=16), lambda item: item["weight"], 2)


def _makespan(weights: list[int], slots: int) -> int:
    """When the last slot ends, each taking the next bin when it is free."""
    loads = [0] * slots
    for weight in weights:
        loads[loads.index(min(loads))] += weight
    return max(loads)
