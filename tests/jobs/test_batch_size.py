"""The batch loop on a cluster of thought: real sizing and packing, made-up costs, and a clock that only the work moves."""

import random
from collections.abc import Iterator, Sequence
from types import SimpleNamespace

import pyarrow as pa
import pytest

from cluster.stages import Stage
from jobs import batches
from jobs.batches import in_batches

SCHEMA = pa.schema([("number", pa.int64())])
SLOTS = (2, 8, 32)
COMMIT_S = 60.0
UNDERESTIMATED = 2.0
"""What an item costs, to what it was said to."""


class Cluster:
    """Runs bins on slots, each taking the next bin when it is free; a batch ends with its last item."""

    def __init__(self, monkeypatch, slots: int, start_s: float = 0.0) -> None:
        self.slots, self.start_s, self.now = slots, start_s, 0.0
        self.took: list[float] = []
        self.done: list[list[int]] = []
        monkeypatch.setattr(batches, "layout", lambda spark, device, worker_gib: Stage(slots))
        monkeypatch.setattr(batches, "map_bins", self.map_bins)
        monkeypatch.setattr(batches.time, "monotonic", lambda: self.now)

    def map_bins(self, spark, bins, worker, **options) -> pa.Table:
        busy_s = [0.0] * self.slots
        for filled in bins:
            busy_s[busy_s.index(min(busy_s))] += sum(item["cost_s"] for item in filled)
        self.took.append(self.start_s + max(busy_s))
        self.now += self.took[-1]
        self.done.append([item["number"] for filled in bins for item in filled])
        return pa.table({"number": self.done[-1]}, schema=SCHEMA)

    def work(self, items: Sequence[dict], **options) -> float:
        """The time that all items take, to the shortest that any plan could: all slots busy, or the longest item."""
        assert list(self.batches(items, **options))
        assert sorted(number for batch in self.done for number in batch) == list(range(len(items)))
        costs = [item["cost_s"] for item in items]
        return self.now / max(sum(costs) / self.slots, max(costs))

    def batches(self, items: Sequence[dict], **options) -> Iterator[pa.Table]:
        spark = SimpleNamespace(conf={})
        about = {"weigh": lambda item: item["said_s"], "group": lambda item: item["group"], "label": lambda item: str(item["number"])}
        return in_batches(spark, items, None, schema=SCHEMA, on_death=None, verb="test", commit_every_s=COMMIT_S, quiet=True, **about, **options)


@pytest.fixture(params=SLOTS)
def cluster(request, monkeypatch) -> Cluster:
    return Cluster(monkeypatch, request.param)


def items_of(said_s: Sequence[float], noise: float = 0.0) -> list[dict]:
    """Items that cost twice what is said of them, give or take `noise` (of the logarithm), each a group of its own."""
    chance = random.Random(7)
    return [
        {"number": number, "group": number, "said_s": said, "cost_s": said * UNDERESTIMATED * chance.lognormvariate(0.0, noise)}
        for number, said in enumerate(said_s)
    ]


def spread_lengths(count: int) -> list[float]:
    """Lengths between 2 s and a thousand times that, by chance and in no order."""
    chance = random.Random(11)
    return [2.0 * 10 ** chance.uniform(0.0, 3.0) for _ in range(count)]


def test_long_items_that_are_alike_leave_no_slot_idle(cluster):
    assert cluster.work(items_of([95.0] * 128)) <= 1.001


def test_items_of_a_thousandfold_spread_in_length_leave_few_slots_idle(cluster):
    assert cluster.work(items_of(spread_lengths(40 * cluster.slots))) <= 1.06
    assert max(cluster.took) <= 3 * UNDERESTIMATED * 2000.0


def test_long_items_of_different_length_leave_few_slots_idle(cluster):
    chance = random.Random(3)
    assert cluster.work(items_of([chance.uniform(50.0, 200.0) for _ in range(40 * cluster.slots)])) <= 1.05


@pytest.mark.parametrize("alike", [True, False])
def test_items_that_cost_other_than_was_said_leave_most_slots_at_work(cluster, alike):
    lengths = [95.0] * 40 * cluster.slots if alike else spread_lengths(40 * cluster.slots)
    assert cluster.work(items_of(lengths, noise=0.3)) <= 1.25


def test_one_item_that_is_longer_than_all_others_together_is_worked_on_beside_them(cluster):
    lengths = [1.0] * 50 * cluster.slots
    lengths.insert(len(lengths) // 2, 4000.0)
    assert cluster.work(items_of(lengths)) <= 1.05
    assert max(cluster.took) <= 1.05 * 4000.0 * UNDERESTIMATED


def test_short_items_are_committed_about_as_often_as_asked_and_leave_few_slots_idle(cluster):
    chance = random.Random(5)
    assert cluster.work(items_of([chance.uniform(0.5, 5.0) for _ in range(300 * cluster.slots)], noise=0.3)) <= 1.15
    assert all(0.6 * COMMIT_S <= took <= 1.4 * COMMIT_S for took in cluster.took[2:-1])
    assert len(cluster.took) == pytest.approx(cluster.now / COMMIT_S, rel=0.25)


def test_work_that_was_thought_far_too_long_comes_to_the_asked_size_within_some_batches(cluster):
    items = [item | {"cost_s": item["said_s"] / 100} for item in items_of([2.0] * 20_000 * cluster.slots)]
    assert cluster.work(items) <= 1.15
    assert all(0.8 * COMMIT_S <= took <= 1.2 * COMMIT_S for took in cluster.took[6:-1])


def test_batch_that_took_next_to_no_time_does_not_make_the_next_one_huge(cluster):
    vanished = [item | {"said_s": 3.0, "cost_s": 0.001} for item in items_of([1.0] * 5 * cluster.slots)]
    items = vanished + [
        item | {"number": item["number"] + len(vanished), "group": item["number"] + len(vanished)} for item in items_of([1.0] * 900 * cluster.slots)
    ]
    cluster.work(items)
    assert max(cluster.took) <= 8 * COMMIT_S


def test_start_of_a_batch_that_takes_longer_than_its_items_does_not_shrink_the_next_ones(monkeypatch):
    cluster = Cluster(monkeypatch, slots=8, start_s=15.0)
    cluster.work(items_of([0.5] * 2000))
    assert all(0.7 * COMMIT_S <= took <= 1.2 * COMMIT_S for took in cluster.took[3:-1])


def test_asked_number_of_items_is_an_upper_limit_of_a_batch_of_long_items(cluster):
    cluster.work(items_of([95.0] * 12), commit_every_items=2)
    assert [len(done) for done in cluster.done] == [2] * 6


def test_items_of_a_group_stay_together_though_others_are_longer(cluster):
    items = items_of([1.0, 9.0, 2.0] * 40 * cluster.slots)
    for item in items:
        item["group"] = item["number"] % (4 * cluster.slots)
    cluster.work(items)
    found = {
        group: {index for index, batch in enumerate(cluster.done) if any(items[number]["group"] == group for number in batch)}
        for group in range(4 * cluster.slots)
    }
    assert sum(len(where) > 1 for where in found.values()) <= len(cluster.done) - 1


def test_callers_who_need_it_get_their_items_in_the_order_given(cluster):
    cluster.work(items_of(spread_lengths(20 * cluster.slots)), in_order=True)
    for before, after in zip(cluster.done, cluster.done[1:]):
        assert max(before) < min(after)
