"""Commits of delta-rs that a driver which has lost its lease cannot make, and that count only once they are seen to have arrived.

In a folder the operating system's lock and the file system's rename are enough. In a store each commit carries the generation of the lease
as a Delta transaction: delta-rs refuses it when a newer generation was there or came in between, and a retried put whose first answer was lost
is recognised by its mark instead of being committed a second time (cluster.md §10).
"""

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from schemas import delta_log, held
from schemas.errors import BusyError, VerificationError
from schemas.place import Place

if TYPE_CHECKING:
    from deltalake import CommitProperties, DeltaTable

LEASE_APP = "talkvid-lease"
MARK = "talkvidCommit"


def commit(place: Place, opened: "DeltaTable", write: "Callable[[CommitProperties | None], object]", **notes: str) -> None:
    """Let `write` change `opened`, with commit properties to pass on. Raises `BusyError` when the lease of this process was lost,
    `VerificationError` when the commit cannot be found in the table's log afterwards. Without a lease nothing is fenced."""
    held.check(place.root)
    if place.is_local:
        write(None)
        return
    from deltalake.exceptions import CommitFailedError

    before, lease = opened.version(), held.of(place.root)
    generation = lease.generation if lease is not None else 0
    _refuse_older(place, opened, generation)
    mark = secrets.token_hex(8)
    try:
        write(_properties(mark, generation, notes))
    except (CommitFailedError, OSError) as error:  # OSError: the store went away while the commit was on its way
        if _arrived(place, opened, before, mark):
            return
        _refuse_older(place, opened, generation, reload=True)
        raise VerificationError(f"a commit to {opened.table_uri} failed: {str(error).splitlines()[0]}; run it again to go on") from error
    if opened.version() > before and not _arrived(place, opened, before, mark):
        raise VerificationError(f"a commit to {opened.table_uri} was acknowledged and is not in its log: another driver writes there without the lease")


def _properties(mark: str, generation: int, notes: dict[str, str]) -> "CommitProperties":
    from deltalake import CommitProperties, Transaction

    fence = [Transaction(LEASE_APP, generation)] if generation else None
    return CommitProperties(custom_metadata={MARK: mark, **notes}, app_transactions=fence)


def _arrived(place: Place, opened: "DeltaTable", before: int, mark: str) -> bool:
    """True when a version after `before` bears the mark."""
    table = place.table(opened.table_uri.rstrip("/").rpartition("/")[2])
    newest = delta_log.newest_version(table)
    return any(delta_log.commit_info(table, version).get(MARK) == mark for version in range(before + 1, newest + 1))


def _refuse_older(place: Place, opened: "DeltaTable", generation: int, reload: bool = False) -> None:
    """Raise `BusyError` when a newer lease has written here."""
    if reload:
        opened.update_incremental()
    if generation and (opened.transaction_version(LEASE_APP) or 0) > generation:
        raise BusyError(f"the lake {place.root} was taken over by another driver; this one has stopped, run it again")
