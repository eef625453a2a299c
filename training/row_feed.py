"""Rows of a snapshot in the order they are wanted, every byte of them through Petastorm's reader."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from schemas.codes import Rejected
from schemas.errors import TalkvidError
from training.parquet_row_groups import RowGroupPath
from training.partial_copy import partly_staged
from training.reading_plan import Reading, RowPlace, reading_plan
from training.snapshot import FileGoneError
from udfs.staging import local_path

READER_ROW_GROUPS = 256
"""Row groups that one reader is opened for."""
STAGED_FILES = 4
"""Files of an object store of which parts lie on the local disk at a time."""


class RowFeed:
    """Gives the rows at `places`, in this order, each once; holds at most `horizon` rows.

    `files` are the snapshot's, local or in a store, from where the row groups are copied to the local disk for as long as they are read.
    `opened` counts the row groups that were read.
    """

    def __init__(self, files: Sequence[str], places: Sequence[RowPlace], columns: Sequence[str], horizon: int) -> None:
        self.opened = 0
        self._files, self._places, self._columns = files, places, columns
        self._plan = reading_plan(places, horizon)
        self._held: dict[RowPlace, Mapping[str, Any]] = {}
        self._left: Counter[RowPlace] = Counter()

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        """Raises `FileGoneError` when a file is not there any more, `TalkvidError` when it is damaged or cannot be fetched."""
        groups = self._groups()
        for number, place in enumerate(self._places):
            if self.opened < len(self._plan) and self._plan[self.opened].at == number:
                self._keep(self._plan[self.opened], next(groups))
                self.opened += 1
            row = self._held[place]
            self._left[place] -= 1
            if not self._left[place]:
                del self._held[place], self._left[place]
            yield row
        groups.close()

    def _keep(self, reading: Reading, group: Any) -> None:
        missing = set(self._columns) - set(group._fields)
        if missing:
            raise TalkvidError(f"{self._files[reading.file]} has no column {', '.join(sorted(missing))}: prepare the samples anew")
        for row, times in Counter(reading.rows).items():
            if row >= len(group.clip_id):
                raise FileGoneError(f"{self._files[reading.file]} holds other rows than before: look the clips up again")
            place = RowPlace(reading.file, reading.row_group, row)
            self._held[place] = {name: getattr(group, name)[row] for name in self._columns}
            self._left[place] += times

    def _groups(self) -> Iterator[Any]:
        """The row groups of the plan, one after the other."""
        from training.petastorm_compat import row_group_reader

        for readings in _for_one_reader(self._plan, self._files):
            try:
                with ExitStack() as stack:
                    groups: dict[int, set[int]] = defaultdict(set)
                    for reading in readings:
                        groups[reading.file].add(reading.row_group)
                    parts = {number: partly_staged(self._files[number], of_file, self._columns) for number, of_file in groups.items()}
                    paths = {number: str(stack.enter_context(part)) for number, part in parts.items()}
                    pieces = [RowGroupPath(paths[reading.file], reading.row_group) for reading in readings]
                    yield from stack.enter_context(row_group_reader(pieces, self._columns))
            except FileNotFoundError as error:
                raise FileGoneError(f"{error.filename} is gone: look the clips up again") from None
            except Rejected as rejection:
                if rejection.code == "vanished":
                    raise FileGoneError("a file of the snapshot is gone: look the clips up again") from None
                raise TalkvidError(f"a file of the snapshot cannot be read: {rejection.detail}") from None


def _for_one_reader(plan: Sequence[Reading], files: Sequence[str]) -> Iterator[list[Reading]]:
    """The plan in pieces, each with few enough row groups, and few enough files that have to be copied first."""
    part: list[Reading] = []
    remote: set[int] = set()
    for reading in plan:
        copied = {reading.file} if local_path(files[reading.file]) is None else set()
        if part and (len(part) == READER_ROW_GROUPS or len(remote | copied) > STAGED_FILES):
            yield part
            part, remote = [], set()
        part.append(reading)
        remote |= copied
    if part:
        yield part
