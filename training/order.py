"""In which order clips are trained on: a pure function of seed, clips and global batch, never of ranks, workers or files.

Samples of all ranks are numbered: sample `i` is part of step `i // global_batch`. Epoch `e` is the samples `e*n .. e*n+n-1` and has each
of the `n` clips exactly once; a batch may lie across two epochs, nothing is dropped.

The order is made for reading whole row groups: units (the row groups of the snapshot) are shuffled anew in every epoch and dealt out to
`global_batch * lanes_per_slot` lanes of equal length; sample `i` comes from lane `i % lanes`. So the samples of a batch come from as many
different places of the shuffled data as there are lanes, one process reads one lane, and a unit belongs to one lane, or two where a lane
ends inside it. Within a lane a sample may come as early as its unit, and as late as `window` units after it.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class OrderSettings:
    """What the order depends on besides the clips. More lanes and a larger window mix better and hold more row groups in memory."""

    seed: int
    global_batch: int
    lanes_per_slot: int = 4
    window: int = 2

    @property
    def lanes(self) -> int:
        """How many lanes all ranks together have."""
        return self.global_batch * self.lanes_per_slot


class SampleOrder:
    """The order of clips `0..n-1`, of which clip `k` lies in unit `units[k]`. Raises `ValueError` when there are none."""

    def __init__(self, units: NDArray[np.int64], settings: OrderSettings) -> None:
        if len(units) == 0:
            raise ValueError("there are no clips to order")
        self.settings = settings
        self.units = np.unique(np.asarray(units), return_inverse=True)[1]
        self.epoch_order = lru_cache(2)(self._epoch_order)

    def __len__(self) -> int:
        return len(self.units)

    def clips(self, first: int, count: int) -> NDArray[np.int64]:
        """The clips of samples `first .. first+count-1`."""
        indices = np.arange(first, first + count)
        epochs = indices // len(self)
        return np.concatenate([self.epoch_order(int(epoch))[indices[epochs == epoch] % len(self)] for epoch in np.unique(epochs)])

    def _epoch_order(self, epoch: int) -> NDArray[np.int64]:
        """The clips of one epoch, (n,)."""
        count, lanes = len(self), self.settings.lanes
        random = np.random.Generator(np.random.PCG64(np.random.SeedSequence((self.settings.seed, epoch))))
        rank = random.permutation(int(self.units.max()) + 1)[self.units]
        dealt = np.lexsort((random.random(count), rank))
        lane = (epoch * count + np.arange(count)) % lanes
        segment = np.repeat(np.arange(lanes), np.bincount(lane, minlength=lanes))
        key = rank[dealt] + self.settings.window * random.random(count)
        # Both run through the lanes one after the other, each lane in the order of its visits.
        order = np.empty(count, np.int64)
        order[np.argsort(lane, kind="stable")] = dealt[np.lexsort((key, segment))]
        return order
