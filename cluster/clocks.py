"""How far the clocks of executors are off the driver's."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cluster.census import task_count

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Executor = tuple[str, int]
"""Host and process of the Python daemon, as a `Census` tells them."""
ROUNDS = 3
CLOSE_S = 1.0
LINGER_S = 0.2
"""A task lingers, between its two looks at the clock, so that no executor takes all of them."""


@dataclass(frozen=True)
class Skew:
    """An executor's clock less the driver's is at least `least_s` and at most `most_s`."""

    least_s: float
    most_s: float

    @property
    def width_s(self) -> float:
        """How closely it is known."""
        return self.most_s - self.least_s

    @property
    def middle_s(self) -> float:
        """The best guess; positive where the executor's clock is ahead."""
        return (self.least_s + self.most_s) / 2

    @property
    def surely_s(self) -> float:
        """Seconds that the clock is off at least."""
        return max(self.least_s, -self.most_s, 0.0)

    @property
    def perhaps_s(self) -> float:
        """Seconds that the clock may be off."""
        return max(abs(self.least_s), abs(self.most_s))

    def and_also(self, other: "Skew") -> "Skew":
        """What two looks tell together."""
        return Skew(max(self.least_s, other.least_s), min(self.most_s, other.most_s))


def skews(spark: "SparkSession", wanted: Collection[Executor], clock: Callable[[], float] = time.time) -> dict[Executor, Skew]:
    """Skew of each executor that answered; some of `wanted` may be absent.

    To be asked when the executors' Python is up: a job that does nothing else brackets the clocks to tenths of a second, and is
    repeated where it took longer or left someone out. `clock` is the executors'.
    """
    found: dict[Executor, Skew] = {}
    for _ in range(ROUNDS):
        for executor, skew in _look(spark, clock).items():
            found[executor] = skew.and_also(found.get(executor, skew))
        if all(executor in found and found[executor].width_s <= CLOSE_S for executor in wanted):
            break
    return found


def bracketed(began: float, ended: float, looks: Iterable[tuple[Executor, float, float]]) -> dict[Executor, Skew]:
    """Skews by what tasks' clocks said first and last, in a job that began and ended at these times of the driver's clock."""
    found: dict[Executor, Skew] = {}
    for executor, first, last in looks:
        skew = Skew(last - ended, first - began)
        found[executor] = skew.and_also(found.get(executor, skew))
    return found


def _look(spark: "SparkSession", clock: Callable[[], float]) -> dict[Executor, Skew]:
    linger_s = LINGER_S

    def answer(_: Iterable[int]) -> Iterator[tuple[Executor, float, float]]:
        import os
        import socket

        first = clock()
        time.sleep(linger_s)
        yield (socket.gethostname(), os.getppid()), first, clock()

    count = task_count(spark)
    job = spark.sparkContext.parallelize(range(count), count).mapPartitions(answer)
    began = time.time()
    try:
        looks = job.collect()
    except Exception:  # noqa: BLE001 - who gives no answer is told by the census
        return {}
    return bracketed(began, time.time(), looks)
