"""How the state of training lies in files, whatever engine and however many ranks wrote it.

Each rank writes one shard: segments of trained parameters, and for each a run of numbers in every row (`master` weights, the optimiser's `exp_avg` and
`exp_avg_sq`, `average` where one is kept). All shards together hold every number of every parameter once, so that another number of ranks, or another
engine, can read them. Files hold tensors, numbers and words only and are read as such.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from schemas.errors import VerificationError


@dataclass(frozen=True)
class Segment:
    """`length` numbers of the parameter `name` from its number `first` on, kept in tensor `tensor` of an engine from number `at` on."""

    name: str
    first: int
    length: int
    tensor: int
    at: int


def packed(segments: Sequence[Segment], tensors: Sequence[Tensor]) -> Tensor:
    """The numbers of `segments` one after the other, float32 on the CPU."""
    runs = [tensors[segment.tensor].detach().reshape(-1)[segment.at : segment.at + segment.length] for segment in segments]
    return torch.cat([run.to("cpu", torch.float32) for run in runs]) if runs else torch.empty(0)


class Stored:
    """The shards of a step, opened without reading them."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.shards: list[dict[str, Any]] = [torch.load(file, map_location="cpu", weights_only=True, mmap=True) for file in files]
        self._runs: dict[str, list[tuple[int, int, int, int]]] = {}
        for number, shard in enumerate(self.shards):
            at = 0
            for name, first, length in shard["segments"]:
                self._runs.setdefault(name, []).append((first, length, number, at))
                at += length

    def numbers(self, row: str, name: str, first: int, length: int) -> Tensor:
        """`length` numbers of a parameter from `first` on. Raises `VerificationError` where the shards lack some."""
        pieces, wanted = [], first
        for start, run, number, at in sorted(self._runs.get(name, [])):
            if start <= wanted < min(start + run, first + length):
                end = min(start + run, first + length)
                pieces.append(self.shards[number]["rows"][row][at + wanted - start : at + end - start])
                wanted = end
        if wanted != first + length:
            raise VerificationError(f"the checkpoint holds only a part of {name}")
        return torch.cat(pieces) if len(pieces) != 1 else pieces[0]

    def has(self, row: str) -> bool:
        """True when the row was written."""
        return all(row in shard["rows"] for shard in self.shards)

    def unpack(self, row: str, segments: Sequence[Segment], tensors: Sequence[Tensor]) -> None:
        """Fill an engine's tensors."""
        with torch.no_grad():
            for segment in segments:
                target = tensors[segment.tensor].view(-1)[segment.at : segment.at + segment.length]
                target.copy_(self.numbers(row, segment.name, segment.first, segment.length))
