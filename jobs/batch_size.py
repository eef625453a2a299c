"""How many items a batch takes: about the asked time of work for every slot, and never so few that slots stand idle (scale.md rule 6).

A batch ends with its last item, and slots that are done before wait for it. So a batch is never shorter than its longest item, the work of
all slots fills that time, and where items are long the heavy ones come first, so that those of one batch are alike.
"""

import heapq
import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

Item = dict[str, Any]
FIRST_BATCH_S = 20.0
GROWTH = 4.0
"""So many times more work than the last batch had, at most, twice over: once for the time that is wanted, once for the pace that was measured."""


@dataclass(frozen=True)
class BatchSize:
    """The size of the next batch: `target_s` seconds, and at most `most_items`. `pace` is what an estimated second takes in truth."""

    commit_every_s: float
    most_items: int | None
    target_s: float
    pace: float = 1.0

    @classmethod
    def first(cls, commit_every_s: float, most_items: int | None = None) -> "BatchSize":
        """Of the first batch, which trusts the estimates and is small for that."""
        return cls(commit_every_s, most_items, min(FIRST_BATCH_S, commit_every_s))

    def take(self, weights: Iterable[float], slots: int) -> int:
        """How many of the items that wait, by their estimated seconds, make the batch: an item for each slot, and more until every slot
        has `target_s` of work, or as much as the longest item, or some `waves` of the items that it ends with."""
        loads = [0.0] * slots
        room, taken = self.target_s / self.pace, 0
        for weight in weights:
            room = max(room, weight)
            if taken >= slots and loads[0] + weight > max(room, waves(slots) * weight) or taken == self.most_items:
                break
            heapq.heapreplace(loads, loads[0] + weight)
            taken += 1
        return taken

    def after(self, took_s: float, estimated_s: float) -> "BatchSize":
        """The next size, after a batch took `took_s` whose longest slot had `estimated_s` of work.

        Measured against that slot, not the sum: slots that found nothing to do say nothing about how long items take.
        """
        pace = max(took_s / estimated_s, self.pace / GROWTH) if estimated_s > 0 else self.pace
        return replace(self, target_s=min(self.commit_every_s, self.target_s * GROWTH), pace=pace)


def waves(slots: int) -> int:
    """How many items longer than the commit time a slot does in a batch: estimates are off by a third, and the more slots there are, the
    longer the slowest takes beyond the mean; several items in a row even that out. One slot waits for none: it commits each item."""
    return 1 + math.ceil(math.log(slots, 4))


def heaviest_first(items: Sequence[Item], weigh: Callable[[Item], float], group: Callable[[Item], Hashable]) -> list[Item]:
    """Groups by their heaviest item, each together and in its order; the same on every run."""
    groups: dict[Hashable, list[Item]] = {}
    for item in items:
        groups.setdefault(group(item), []).append(item)
    return [item for members in sorted(groups.values(), key=lambda members: -max(map(weigh, members))) for item in members]
