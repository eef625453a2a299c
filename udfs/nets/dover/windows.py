"""How the technical backbone cuts a grid of tokens into attention windows (dover.md §2.2)."""

import functools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Grid = tuple[int, int, int]
"""Sizes in tokens: depth (time), height, width."""

CPU = torch.device("cpu")
WINDOW: Grid = (8, 7, 7)
SHIFT: Grid = (4, 3, 3)
OTHER_REGION = -100.0
"""Added to the logit of two tokens that a shifted window joins but that are no neighbours."""


@dataclass(frozen=True)
class Windows:
    """One way to cut a grid: its windows are numbered (depth, then height x width row-major), tokens inside them likewise.

    `tokens` (depth windows, plane windows, n) numbers the grid's tokens row-major; a padded token has number 0 and `inside` False.
    `fragment` (2, plane windows, n): row and column of the fragment that a token lies in, float.
    `region` (depth windows, plane windows, n): neighbourhoods within a shifted window; None without a shift.
    """

    tokens: Tensor
    inside: Tensor
    padded: bool
    fragment: Tensor
    region: Tensor | None

    @property
    def tokens_per_window(self) -> int:
        """n."""
        return self.tokens.shape[-1]

    def fragment_gap(self) -> Tensor:
        """Fragments between two tokens, |rows| + |columns|: (plane windows, n, n), float (the gate of the bias)."""
        return _distances(self.fragment).sum(0)

    def region_mask(self) -> Tensor | None:
        """0 or `OTHER_REGION` for two tokens: (depth windows, plane windows, n, n); None without a shift."""
        return None if self.region is None else (_distances(self.region) != 0).float() * OTHER_REGION


@functools.lru_cache(maxsize=16)
def windows_of(grid: Grid, *, shifted: bool, device: torch.device = CPU) -> Windows:
    """The windows of `grid`, their tensors on `device`: at most `WINDOW` large, padded at the end to whole windows, rolled by `SHIFT` when `shifted`.

    An axis that fits in one window has the window shrunk to it, and no shift.
    """
    window = tuple(min(size, nominal) for size, nominal in zip(grid, WINDOW, strict=True))
    shift = tuple(step if shifted and size > nominal else 0 for size, nominal, step in zip(grid, WINDOW, SHIFT, strict=True))
    padded = tuple(-(-size // side) * side for size, side in zip(grid, window, strict=True))

    numbers = F.pad(torch.arange(grid[0] * grid[1] * grid[2]).view(grid), _end_padding(grid, padded), value=-1)
    numbers = _cut(_rolled(numbers, shift), window)
    rows = _fragment_coordinate(padded[1], window[1]).view(1, -1, 1).expand(padded)
    columns = _fragment_coordinate(padded[2], window[2]).view(1, 1, -1).expand(padded)
    return Windows(
        tokens=numbers.clamp(min=0).to(device),
        inside=(numbers >= 0).to(device),
        padded=padded != tuple(grid),
        fragment=torch.stack([_cut(_rolled(coordinate, shift), window)[0] for coordinate in (rows, columns)]).to(device),
        region=_cut(_regions(padded, window, shift), window).to(device) if any(shift) else None,
    )


def _end_padding(grid: Grid, padded: Grid) -> list[int]:
    return [amount for axis in (2, 1, 0) for amount in (0, padded[axis] - grid[axis])]


def _rolled(grid: Tensor, shift: Grid) -> Tensor:
    return grid.roll(tuple(-step for step in shift), dims=(0, 1, 2))


def _cut(grid: Tensor, window: Grid) -> Tensor:
    """(D, H, W) -> (D / wd, H / wh x W / ww, wd x wh x ww)."""
    depth, height, width = grid.shape
    wd, wh, ww = window
    cut = grid.reshape(depth // wd, wd, height // wh, wh, width // ww, ww).permute(0, 2, 4, 1, 3, 5)
    return cut.reshape(depth // wd, -1, wd * wh * ww)


def _fragment_coordinate(padded: int, window: int) -> Tensor:
    """Which of `window` equal fragments each of `padded` positions lies in: nearest-neighbour upsampling, in float32 as trained."""
    scale = torch.tensor(float(window)) / padded
    return (torch.arange(padded).float() * scale).floor().clamp(max=window - 1)


def _distances(values: Tensor) -> Tensor:
    return (values.unsqueeze(-1) - values.unsqueeze(-2)).abs()


def _regions(padded: Grid, window: Grid, shift: Grid) -> Tensor:
    """Labels of the places of the rolled grid: the last window of a shifted axis holds two neighbourhoods."""
    label = torch.zeros(padded)
    for axis, (size, side, step) in enumerate(zip(padded, window, shift, strict=True)):
        if step:
            place = torch.arange(size)
            region = (place >= size - side).float() + (place >= size - step).float()
            label = label * 3 + region.view([-1 if other == axis else 1 for other in range(3)])
    return label
