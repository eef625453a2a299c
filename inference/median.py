"""The last step of the released program: a median over three frames and three by three pixels (vexpress.md §8.5), without holding the video.

Rounding down to bytes keeps the order of values, so the median of bytes is the byte of the median: it is taken last, on a quarter of the memory.
"""

from collections.abc import Iterable, Iterator
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

NEIGHBOURS = 27


def smoothed(frames: Iterable[Tensor]) -> Iterator[Tensor]:
    """Frames (channels, H, W) of any dtype, each replaced by the median of its 27 neighbours, mirrored at the borders of place and time.

    Holds three frames. A video of one frame is smoothed in place only.
    """
    before: Tensor | None = None
    current: Tensor | None = None
    for after in frames:
        if current is not None:
            yield _median(after if before is None else before, current, after)
        before, current = current, after
    if current is not None:
        other = current if before is None else before
        yield _median(other, current, other)


def _median(before: Tensor, current: Tensor, after: Tensor) -> Tensor:
    """Of 27 values at every place, by a network of comparisons: minima and maxima are fast everywhere, sorting is not."""
    height, width = current.shape[-2:]
    rows = [_mirrored(frame) for frame in (before, current, after)]
    wires = [frame[..., y : y + height, x : x + width] for frame in rows for y in range(3) for x in range(3)]
    for low, high in _comparisons():
        wires[low], wires[high] = torch.minimum(wires[low], wires[high]), torch.maximum(wires[low], wires[high])
    return wires[NEIGHBOURS // 2]


def _mirrored(frame: Tensor) -> Tensor:
    if frame.dtype.is_floating_point:
        return F.pad(frame[None], (1, 1, 1, 1), mode="reflect")[0]
    tall = torch.cat([frame[..., 1:2, :], frame, frame[..., -2:-1, :]], dim=-2)
    return torch.cat([tall[..., 1:2], tall, tall[..., -2:-1]], dim=-1)


@cache
def _comparisons() -> tuple[tuple[int, int], ...]:
    """Batcher's odd-even merge sort of 27 wires, without what the middle wire does not depend on."""
    whole, span = [], 1
    while span < NEIGHBOURS:
        step = span
        while step >= 1:
            for start in range(step % span, NEIGHBOURS - step, 2 * step):
                for low in range(start, min(start + step, NEIGHBOURS - step)):
                    if low // (2 * span) == (low + step) // (2 * span):
                        whole.append((low, low + step))
            step //= 2
        span *= 2
    needed, kept = {NEIGHBOURS // 2}, []
    for low, high in reversed(whole):
        if low in needed or high in needed:
            kept.append((low, high))
            needed |= {low, high}
    return tuple(reversed(kept))
