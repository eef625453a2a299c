"""What every layout can do, and how files get into an export folder: whole, and never outside it."""

import json
import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from schemas.errors import UsageError
from schemas.ids import media_name

Exported = Mapping[str, Any]
"""A row of `exports`."""


class Layout(ABC):
    """One way to lay out a dataset below the folder `out`.

    Below `out`: `cut_folder` is where clips are cut to, `index` the files that list them, `scratch` a folder that only a running
    export needs. `media` False: records only. `shard_size` is the most clips of one tar.
    """

    name: str
    cut_folder: str
    index: tuple[str, ...] = ()
    scratch: str = ""

    def __init__(self, out: Path, *, media: bool, shard_size: int) -> None:
        self.out, self.media, self.shard_size = out, media, shard_size

    def cut_file(self, clip_id: str) -> str:
        """Path below `out` to which a clip is cut."""
        return f"{self.cut_folder}/{media_name(clip_id, 'mp4')}"

    @abstractmethod
    def present(self, rows: Sequence[Exported]) -> set[str]:
        """Ids of the clips whose media are there in their recorded size."""

    @abstractmethod
    def published(self) -> bool:
        """True when the records of an earlier export are there."""

    @abstractmethod
    def publish(self, records: Iterable[dict[str, Any]], files: dict[str, str | None]) -> dict[str, tuple[str | None, int | None]]:
        """Write the records of all clips (sorted by clip) and what belongs to the dataset as a whole.

        `files` says where the media of each clip are below `out`. Returns where they are now, and their size.
        """

    def drop(self, rows: Iterable[Exported]) -> None:
        """Delete the files of clips that are no longer wanted here, and what lies beside them."""
        for row in rows:
            if row["file"]:
                self.at(row["file"]).unlink(missing_ok=True)
                self.at(beside(row["file"])).unlink(missing_ok=True)

    def withdraw(self) -> None:
        """Delete the index: the folder is given another layout."""
        for relative in self.index:
            self.at(relative).unlink(missing_ok=True)

    def clean(self) -> None:
        """Delete what only a running export needs, once all of it is in the ledger."""
        if self.scratch:
            shutil.rmtree(self.at(self.scratch), ignore_errors=True)

    def at(self, relative: str) -> Path:
        """The path below `out`. Raises `UsageError` when it would lead out of it, by name or by a link."""
        path = self.out / relative
        if not path.resolve().is_relative_to(self.out.resolve()):
            raise UsageError(f"{relative!r} would lie outside {self.out}; remove the link that leads out of it, or export to another folder")
        return path

    def size(self, relative: str) -> int:
        """Bytes of a file below `out`; -1 when it is not there."""
        try:
            return self.at(relative).stat().st_size
        except FileNotFoundError:
            return -1

    @contextmanager
    def writing(self, relative: str) -> Iterator[BinaryIO]:
        """A file that gets its name below `out` only when it is whole."""
        final = self.at(relative)
        final.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=final.parent, prefix=".", suffix=".part", delete=False) as half:
            try:
                yield half
                half.flush()
                os.fsync(half.fileno())
                os.chmod(half.name, 0o644)
                os.replace(half.name, final)
            except BaseException:
                os.unlink(half.name)
                raise

    def keep(self, relative: str, content: bytes) -> None:
        """Write a small file unless it holds just that already."""
        path = self.at(relative)
        if not path.is_file() or path.read_bytes() != content:
            with self.writing(relative) as file:
                file.write(content)


def json_bytes(record: Mapping[str, Any]) -> bytes:
    """A record as one line of JSON."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False).encode()


def beside(file: str) -> str:
    """The JSON beside a media file."""
    return str(PurePosixPath(file).with_suffix(".json"))
