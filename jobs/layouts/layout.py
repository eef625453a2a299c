"""What every layout can do, and how files get into an export: whole, and never outside its folder or prefix."""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from schemas import storage, unfinished, uploads
from schemas.errors import UsageError
from schemas.ids import media_name

Exported = Mapping[str, Any]
"""A row of `exports`."""
_OWN = re.compile(r"(?:^|/)(?:v_[^/]*|\d{6}\.tar|filtered_video_clips\.json|metadata\.jsonl|test_[a-z]+\.json)$")


class Layout(ABC):
    """One way to lay out a dataset below `out`, a folder or `s3a://bucket/prefix`.

    Below `out`: `cut_folder` is where clips are cut to, `index` the files that list them, `scratch` a folder that only a running
    export needs. `media` False: records only. `shard_size` is the most clips of one tar.
    """

    name: str
    cut_folder: str
    index: tuple[str, ...] = ()
    scratch: str = ""

    def __init__(self, out: Path | str, *, media: bool, shard_size: int) -> None:
        self.out, self.media, self.shard_size = out, media, shard_size
        self.is_remote = storage.is_remote(str(out))

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
                storage.delete(self.address(row["file"]))
                storage.delete(self.address(beside(row["file"])))

    def withdraw(self) -> None:
        """Delete the index: the folder is given another layout."""
        for relative in self.index:
            storage.delete(self.address(relative))

    def clean(self) -> None:
        """Delete what only a running export needs, once all of it is in the ledger."""
        if self.scratch:
            storage.delete_below(self.address(self.scratch))

    def sweep(self) -> None:
        """Delete what killed writers left half written below `out`; no other export is at work there."""
        if self.is_remote:
            uploads.abort(str(self.out), mine=is_exported)
        else:
            unfinished.sweep_below(self.out)

    def address(self, relative: str) -> str:
        """Where a file below `out` lies. Raises `UsageError` when that would be outside, by name or by a link."""
        if not self.is_remote:
            return str(self.at(relative))
        if ".." in relative.split("/"):
            raise UsageError(f"{relative!r} would lie outside {self.out}")
        return storage.at(str(self.out), relative)

    def at(self, relative: str) -> Path:
        """The path below a local `out`. Raises `UsageError` when it would lead out of it, by name or by a link."""
        path = Path(self.out) / relative
        if not path.resolve().is_relative_to(Path(self.out).resolve()):
            raise UsageError(f"{relative!r} would lie outside {self.out}; remove the link that leads out of it, or export to another folder")
        return path

    def size(self, relative: str) -> int:
        """Bytes of a file below `out`; -1 when it is not there."""
        return storage.size(self.address(relative))

    def sizes(self, relatives: Iterable[str]) -> dict[str, int]:
        """Bytes of files below `out`, those that are not there left out; in a store from one listing."""
        if self.is_remote:
            return {file.uri.removeprefix(f"{self.out}/"): file.bytes for file in storage.listed(str(self.out))}
        found = {relative: self.size(relative) for relative in relatives}
        return {relative: size for relative, size in found.items() if size >= 0}

    def writing(self, relative: str) -> AbstractContextManager[BinaryIO]:
        """A file that gets its name below `out` only when it is whole."""
        return storage.writing(self.address(relative))

    def keep(self, relative: str, content: bytes) -> None:
        """Write a small file unless it holds just that already."""
        if storage.read_bytes(self.address(relative)) != content:
            storage.put_bytes(content, self.address(relative))


def is_exported(key: str) -> bool:
    """True for the name of a clip's file, of a shard or of a list, as every layout spells them."""
    return _OWN.search(key) is not None


def json_bytes(record: Mapping[str, Any]) -> bytes:
    """A record as one line of JSON."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False).encode()


def beside(file: str) -> str:
    """The JSON beside a media file."""
    return str(PurePosixPath(file).with_suffix(".json"))
