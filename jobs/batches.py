"""Work in batches that are committed by time: the loop that ingest, segment, score and export share (scale.md rules 6, 7)."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jobs.devices import layout, room
from jobs.packing import chunks, pack, spread
from jobs.progress import Progress
from udfs.isolation import Rows, Worker
from udfs.spark import map_bins

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Item = dict[str, Any]
CHUNKS_PER_SLOT = 16
FIRST_BATCH_S = 20.0
GROWTH = 4.0


def in_batches(
    spark: "SparkSession",
    items: Sequence[Item],
    worker: Worker,
    *,
    schema: pa.Schema,
    weigh: Callable[[Item], float],
    group: Callable[[Item], str],
    on_death: Callable[[Item], Rows],
    verb: str,
    label: Callable[[Item], str],
    commit_every_s: float = 60.0,
    commit_every_items: int | None = None,
    quiet: bool = False,
    device: str = "cpu",
    worker_gib: float = 1.0,
) -> Iterator[pa.Table]:
    """Result rows of all items, a table per batch; the caller commits each before asking for the next.

    `weigh` estimates an item's work in slot-seconds: only the first batch trusts it, later ones are sized by what was measured so
    that they take `commit_every_s`. `worker` is Spark-free: it yields (index of a finished item, its rows), once per item.
    Items of one `group` stay together where they can. `on_death` makes the rows of an item that kills its Python process.
    `device` (`cpu` or `cuda`) and `worker_gib`, the memory of one Python worker, lay the tasks out on a cluster's executors.
    """
    if not items:
        return
    host = spark.conf.get("spark.driver.host", "127.0.0.1")
    pace = 1.0
    target_s = min(FIRST_BATCH_S, commit_every_s)
    waiting = list(items)
    with Progress(verb, len(waiting), host=host, quiet=quiet) as progress:
        while waiting:
            place = layout(spark, device, worker_gib)
            slots = place.slots
            batch = _take(waiting, weigh, target_s * slots / pace, commit_every_items)
            del waiting[: len(batch)]
            bins = (spread if place.one_bin_each else pack)(chunks(batch, group, most=_chunk_size(len(batch), slots)), weigh, slots)
            started = time.monotonic()
            rows = map_bins(
                spark,
                bins,
                worker,
                schema=schema,
                on_death=on_death,
                label=label,
                reporter=progress.reporter,
                profile=place.profile,
                pool=place.pool,
                worker_gib=worker_gib,
                room=room(place),
            )
            took = time.monotonic() - started
            yield rows
            progress.settle(len(batch))
            weight = sum(weigh(item) for item in batch)
            pace = max(took * slots / weight, 1e-6) if weight > 0 else pace
            target_s = min(commit_every_s, target_s * GROWTH)


def _take(waiting: Sequence[Item], weigh: Callable[[Item], float], budget: float, most: int | None) -> list[Item]:
    """The first items whose weights fit the budget, at least one."""
    taken: list[Item] = []
    total = 0.0
    for item in waiting:
        total += weigh(item)
        if taken and (total > budget or (most is not None and len(taken) >= most)):
            break
        taken.append(item)
    return taken


def _chunk_size(items: int, slots: int) -> int:
    """Small batches are cut finer than 256, so that every slot has some of a single long video."""
    return max(1, min(256, items // (slots * CHUNKS_PER_SLOT)))
