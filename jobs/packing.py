"""Tasks that end together: chunks of one group, the heavy ones first, in bins that grow smaller towards the end."""

import heapq
from collections.abc import Callable, Hashable, Sequence
from typing import Any

Item = dict[str, Any]
CHUNK_ITEMS = 256
CHUNKS_PER_SLOT = 16
SHARE = 2.0
"""A bin takes the remaining work / (SHARE x slots), so that the last bins are short and no slot waits long for another."""


def bins_of(
    batch: Sequence[Item], weigh: Callable[[Item], float], group: Callable[[Item], Hashable], slots: int, *, one_bin_each: bool = False
) -> list[list[Item]]:
    """The bins of a batch, `one_bin_each` for the slots or as many as end together. Small batches are cut finer than `CHUNK_ITEMS`, so that
    every slot has some of a single long video."""
    pieces = chunks(batch, group, most=max(1, min(CHUNK_ITEMS, len(batch) // (slots * CHUNKS_PER_SLOT))))
    return (spread if one_bin_each else pack)(pieces, weigh, slots)


def chunks(items: Sequence[Item], group: Callable[[Item], Hashable], most: int = CHUNK_ITEMS) -> list[list[Item]]:
    """Items of one group together, at most `most` in a chunk, order kept."""
    groups: dict[Hashable, list[Item]] = {}
    for item in items:
        groups.setdefault(group(item), []).append(item)
    return [members[start : start + most] for members in groups.values() for start in range(0, len(members), most)]


def pack(pieces: Sequence[list[Item]], weigh: Callable[[Item], float], slots: int) -> list[list[Item]]:
    """Bins in the order they should start, from about 1 / (2 x slots) of the work down to single pieces; the same on every run."""
    weights = [sum(weigh(item) for item in piece) for piece in pieces]
    left = sum(weights)
    bins: list[list[Item]] = []
    room = 0.0
    for index in sorted(range(len(pieces)), key=lambda i: (-weights[i], i)):
        if not bins or room < weights[index] / 2:
            bins.append([])
            room = left / (SHARE * slots)
        bins[-1].extend(pieces[index])
        room -= weights[index]
        left -= weights[index]
    return bins


def spread(pieces: Sequence[list[Item]], weigh: Callable[[Item], float], slots: int) -> list[list[Item]]:
    """At most `slots` bins of about the same work, none empty; the same on every run."""
    weights = [sum(weigh(item) for item in piece) for piece in pieces]
    bins: list[list[Item]] = [[] for _ in range(min(slots, len(pieces)))]
    loads = [0.0] * len(bins)
    for index in sorted(range(len(pieces)), key=lambda i: (-weights[i], i)):
        lightest = loads.index(min(loads))
        bins[lightest].extend(pieces[index])
        loads[lightest] += weights[index]
    return bins


def makespan(bins: Sequence[Sequence[Item]], weigh: Callable[[Item], float], slots: int) -> float:
    """When the last of the slots is done, by the weights, each taking the next bin when it is free."""
    loads = [0.0] * slots
    for filled in bins:
        heapq.heapreplace(loads, loads[0] + sum(weigh(item) for item in filled))
    return max(loads)
