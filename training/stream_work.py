"""What one loader process makes: the batches of its steps, filled into arrays that it is given."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.batch import SampleKey
from training.order import OrderSettings, SampleOrder
from training.reading_plan import RowPlace
from training.row_feed import RowFeed
from training.sample import SampleSettings, SampleShape, choose, columns_of, make
from training.snapshot import FileGoneError

PLANNED_SAMPLES = 8192
"""Samples for which the reading is planned at a time."""
SHORTEST_HORIZON = 64

Arrays = dict[str, NDArray]


@dataclass(frozen=True)
class ClipList:
    """The clips that are trained on: ids, lengths in frames, units, and places (n, 3) in `files`."""

    clip_ids: tuple[str, ...]
    frames: NDArray[np.int64]
    units: NDArray[np.int64]
    places: NDArray[np.int64]
    files: tuple[str, ...]


@dataclass(frozen=True)
class StreamWork:
    """The part of one process: steps `first_step`, `first_step + stride`, … of rank `rank`."""

    clips: ClipList
    order: OrderSettings
    sample: SampleSettings
    shape: SampleShape
    rank: int
    first_step: int
    stride: int

    def batches(self, arrays: Callable[[], Arrays]) -> Iterator[tuple[int, list[SampleKey], Arrays]]:
        """Step, keys and filled arrays of one batch after the other, for ever. `arrays` is called for each and may wait."""
        order = SampleOrder(self.clips.units, self.order)
        batch, step = self.shape.batch, self.first_step
        steps = max(1, PLANNED_SAMPLES // batch)
        while True:
            firsts = [(step + number * self.stride) * self.order.global_batch + self.rank * batch for number in range(steps)]
            picks = np.concatenate([order.clips(first, batch) for first in firsts])
            places = [RowPlace(*place) for place in self.clips.places[picks].tolist()]
            rows = iter(RowFeed(self.clips.files, places, columns_of(self.shape.latents), self._horizon()))
            for number, first in enumerate(firsts):
                keys, filled = [], arrays()
                for slot, pick in enumerate(picks[number * batch : (number + 1) * batch].tolist()):
                    clip_id, index = self.clips.clip_ids[pick], first + slot
                    row = next(rows)
                    if row["clip_id"] != clip_id:
                        raise FileGoneError(f"where {clip_id} was now lies {row['clip_id']}: look the clips up again")
                    keys.append(choose(clip_id, int(self.clips.frames[pick]), self.sample, index // len(order), index))
                    make(row, keys[-1], filled, slot)
                yield step + number * self.stride, keys, filled
            rows.close()
            step += steps * self.stride

    def _horizon(self) -> int:
        """Twice the samples over which the rows of a row group are wanted: those of the window, in all lanes of this process."""
        largest = int(np.bincount(self.clips.units).max())
        lanes = self.shape.batch * max(1, self.order.lanes_per_slot // self.stride)
        return max(SHORTEST_HORIZON, 2 * largest * (self.order.window + 1) * lanes)
