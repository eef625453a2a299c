"""Work in batches that are committed by time: the loop that all verbs which work through many items share (scale.md rules 6, 7)."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jobs.batch_size import BatchSize, heaviest_first
from jobs.devices import layout, room
from jobs.packing import bins_of, makespan
from jobs.progress import Progress
from udfs.isolation import Rows, Worker
from udfs.spark import map_bins

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Item = dict[str, Any]


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
    in_order: bool = False,
) -> Iterator[pa.Table]:
    """Result rows of all items, a table per batch; the caller commits each before asking for the next.

    `weigh` estimates an item's work in slot-seconds: only the first batch trusts it, later ones are sized by what was measured so
    that they take `commit_every_s`, or longer where single items do (`jobs.batch_size`), and never have more than `commit_every_items`.
    The heaviest items come first, unless the caller needs batches `in_order` of `items`.
    `worker` is Spark-free: it yields (index of a finished item, its rows), once per item.
    Items of one `group` stay together where they can. `on_death` makes the rows of an item that kills its Python process.
    `device` (`cpu` or `cuda`) and `worker_gib`, the memory of one Python worker, lay the tasks out on a cluster's executors.
    """
    if not items:
        return
    host = spark.conf.get("spark.driver.host", "127.0.0.1")
    size = BatchSize.first(commit_every_s, commit_every_items)
    waiting = list(items) if in_order else heaviest_first(items, weigh, group)
    done = 0
    with Progress(verb, len(waiting), host=host, quiet=quiet) as progress:
        while done < len(waiting):
            place = layout(spark, device, worker_gib)
            taken = size.take((weigh(waiting[index]) for index in range(done, len(waiting))), place.slots)
            bins = bins_of(waiting[done : done + taken], weigh, group, place.slots, one_bin_each=place.one_bin_each)
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
            progress.settle(taken)
            done += taken
            size = size.after(took, makespan(bins, weigh, place.slots))
