"""Which row groups a process opens for the samples it has to make, in order, and what it keeps of them."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple


class RowPlace(NamedTuple):
    """A row: number of the file in the snapshot, row group in the file, row in the row group."""

    file: int
    row_group: int
    row: int


class Reading(NamedTuple):
    """One row group to open, as soon as the row wanted as number `at` is due, and the rows of it to keep, as often as each is wanted."""

    at: int
    file: int
    row_group: int
    rows: tuple[int, ...]


def reading_plan(places: Sequence[RowPlace], horizon: int) -> list[Reading]:
    """The row groups to open for the rows at `places`, wanted in this order.

    A row group is opened when its first row is wanted; of it are kept the rows that are wanted within the next `horizon` places, so
    that never more than `horizon` rows are held. Each is opened once unless its rows are wanted further apart than that.
    """
    wanted: dict[tuple[int, int], list[int]] = defaultdict(list)
    for number, place in enumerate(places):
        wanted[place.file, place.row_group].append(number)
    kept: set[int] = set()
    plan: list[Reading] = []
    for number, place in enumerate(places):
        if number in kept:
            kept.discard(number)
            continue
        # Earlier wants are behind us; those that were kept by an earlier opening are not wanted again here.
        near = [want for want in wanted[place.file, place.row_group] if number <= want < number + horizon and want not in kept]
        plan.append(Reading(number, place.file, place.row_group, tuple(places[want].row for want in near)))
        kept.update(near[1:])
    return plan
