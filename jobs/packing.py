"""Tasks of equal work: chunks of one group, largest first, into the least loaded bin (scale.md §3)."""

import heapq
from collections.abc import Callable, Hashable, Sequence
from typing import Any

Item = dict[str, Any]
CHUNK_ITEMS = 256


def chunks(items: Sequence[Item], group: Callable[[Item], Hashable], most: int = CHUNK_ITEMS) -> list[list[Item]]:
    """Items of one group together, at most `most` in a chunk, order kept."""
    groups: dict[Hashable, list[Item]] = {}
    for item in items:
        groups.setdefault(group(item), []).append(item)
    return [members[start : start + most] for members in groups.values() for start in range(0, len(members), most)]


def pack(pieces: Sequence[list[Item]], weigh: Callable[[Item], float], bins: int) -> list[list[Item]]:
    """At most `bins` bins of about equal weight, heaviest first; none empty; the same on every run."""
    weights = [sum(weigh(item) for item in piece) for piece in pieces]
    loads = [(0.0, number) for number in range(min(bins, len(pieces)))]
    filled: list[list[Item]] = [[] for _ in loads]
    for index in sorted(range(len(pieces)), key=lambda i: (-weights[i], i)):
        load, number = heapq.heappop(loads)
        filled[number].extend(pieces[index])
        heapq.heappush(loads, (load + weights[index], number))
    order = sorted(loads, reverse=True)
    return [filled[number] for _, number in order]
