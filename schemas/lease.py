"""One writing verb per lake at a time (law 12)."""

from collections.abc import Iterator
from contextlib import contextmanager

from schemas import held
from schemas.lease_local import LocalLease
from schemas.lease_store import StoreLease
from schemas.ledger import Ledger
from schemas.place import Place


@contextmanager
def lease(place: Place, verb: str) -> Iterator[None]:
    """Hold the lake for `verb`; every commit of this process to it is checked against the lease.

    Raises `BusyError` when another verb holds it, within 10 s; a lease that a killed driver left in a store is waited for and taken over,
    and the tables are fenced off against that driver. In a folder a killed holder leaves nothing behind.
    """
    taken = LocalLease(place.root, verb) if place.is_local else StoreLease(place.root, verb)
    try:
        held.hold(place.root, taken)
        if taken.taken_over:
            Ledger(place).fence()
        yield
    finally:
        held.let_go(place.root)
        taken.release()
