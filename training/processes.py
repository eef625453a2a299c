"""The ranks of a run: who they are and what they tell each other. One process alone needs no process group."""

import os
import socket
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch

from schemas.errors import MissingError

if TYPE_CHECKING:
    from collections.abc import Iterator

WAIT = timedelta(minutes=30)
"""How long a rank waits for the others: for the slowest export, not for the dead, whose connections break at once."""


@dataclass(frozen=True)
class Processes:
    """This rank among `world` ranks. What is told goes over the CPU, beside whatever the GPUs do."""

    rank: int = 0
    world: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    group: Any = None

    @property
    def first(self) -> bool:
        """True for the rank that writes what is written once."""
        return self.rank == 0

    def sums(self, values: Sequence[float]) -> list[float]:
        """Each value summed over the ranks, in float64."""
        told = torch.tensor(list(values), dtype=torch.float64)
        if self.world > 1:
            torch.distributed.all_reduce(told, group=self.group)
        return told.tolist()

    def all(self, thing: Any) -> list[Any]:
        """What each rank has to say, in their order."""
        if self.world == 1:
            return [thing]
        things: list[Any] = [None] * self.world
        torch.distributed.all_gather_object(things, thing, group=self.group)
        return things

    def from_first(self, thing: Any) -> Any:
        """What the first rank has to say."""
        if self.world == 1:
            return thing
        things = [thing]
        torch.distributed.broadcast_object_list(things, src=0, group=self.group)
        return things[0]

    def wait(self) -> None:
        """Until all ranks are here."""
        if self.world > 1:
            torch.distributed.barrier(group=self.group)


@contextmanager
def opened(device: str = "auto", *, group_for_one: bool = False) -> "Iterator[Processes]":
    """The ranks that the launcher's environment (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT) tells of; without it, one.

    `group_for_one`: make a process group for a single process too, as DeepSpeed wants it. Raises `MissingError` for `cuda` where there is no GPU.
    """
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    place = _device(device, int(os.environ.get("LOCAL_RANK", "0")))
    if world == 1 and not group_for_one:
        yield Processes(0, 1, place)
        return
    backend = "cpu:gloo,cuda:nccl" if place.type == "cuda" else "gloo"
    if world > 1:
        torch.distributed.init_process_group(backend, rank=rank, world_size=world, timeout=WAIT)
    before = dict(os.environ)
    if world == 1:
        _alone_in_a_group(backend)
    try:
        yield Processes(rank, world, place, torch.distributed.new_group(backend="gloo", timeout=WAIT))
    finally:
        torch.distributed.destroy_process_group()
        for name in set(os.environ) - set(before):
            del os.environ[name]


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _device(wanted: str, local_rank: int) -> torch.device:
    if wanted == "cuda" and not torch.cuda.is_available():
        raise MissingError("--device cuda: torch sees no GPU here; use --device cpu")
    if wanted == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    place = torch.device("cuda", local_rank % torch.cuda.device_count())
    torch.cuda.set_device(place)
    return place


def _alone_in_a_group(backend: str) -> None:
    """A group of one. The environment says so too: libraries read it."""
    os.environ |= {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    torch.distributed.init_process_group(backend, store=torch.distributed.HashStore(), rank=0, world_size=1, timeout=WAIT)
