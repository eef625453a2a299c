"""The leases that this process holds, so that whoever commits to a lake can ask whether it still may."""

from typing import Protocol

_HELD: dict[str, "Held"] = {}


class Held(Protocol):
    """A lease as committers see it. `generation` is 0 where the operating system keeps the lock."""

    generation: int

    def check(self) -> None:
        """Raise `BusyError` when the lease was lost."""


def hold(root: str, held: "Held") -> None:
    """Note the lease of a lake."""
    _HELD[root] = held


def let_go(root: str) -> None:
    """Forget the lease of a lake."""
    _HELD.pop(root, None)


def of(root: str) -> "Held | None":
    """The lease that this process holds on a lake, if any."""
    return _HELD.get(root)


def check(root: str) -> None:
    """Raise `BusyError` when this process held a lease on a lake and has lost it."""
    lease = of(root)
    if lease is not None:
        lease.check()
