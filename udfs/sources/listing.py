"""Folders, files and globs as sources. Extensions are not trusted: every regular file that is no sidecar may be a video."""

import glob
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from schemas import s3, storage
from schemas.codes import Rejected
from schemas.errors import MissingError, UsageError
from udfs.sniff import sniff
from udfs.sources.sidecars import Entry, is_unfinished, may_be_video, paired
from udfs.sources.source import Problem, Source

VIDEO_DEMUXERS = frozenset({"mov", "matroska", "avi", "mpegts", "mpeg", "flv", "ogg", "asf", "yuv4mpegpipe"})


@dataclass
class PassedOver:
    """What a listing left out: names of entries that are called like videos and are no regular files (a named pipe, a socket, a device), and how
    many others there were, by their names no videos (`other`), or hidden or not finished (`unfinished`). Sidecars of a video are not left out.
    """

    irregular: list[str] = field(default_factory=list)
    other: int = 0
    unfinished: int = 0

    def sift(self, entries: Iterable[Entry]) -> list[Entry]:
        """The entries but for what is there and no regular file."""
        kept = []
        for entry in entries:
            if entry.bytes is not None or not os.path.exists(entry.address):
                kept.append(entry)
            elif may_be_video(entry.name):
                self.irregular.append(storable(entry.name))
            else:
                self._count(entry)
        return kept

    def note(self, entries: Iterable[Entry], found: Iterable[Source]) -> None:
        """Count those of `entries` that are neither a source nor belong to one."""
        used = {address for source in found for address in (source.uri, source.audio_uri, source.subtitle_uri)}
        for entry in entries:
            if storable(entry.address) not in used:
                self._count(entry)

    def _count(self, entry: Entry) -> None:
        if is_unfinished(entry):
            self.unfinished += 1
        else:
            self.other += 1


def folder_sources(root: str, excluded: Collection[str] = (), passed: PassedOver | None = None) -> Iterator[Source]:
    """Every possible video below a folder, in the order of names, but for hidden files and `excluded` folders (real paths). `passed` learns of
    the files that are no sources.

    Links to folders are followed once. A folder that cannot be read is a source with a problem.
    """
    passed = passed if passed is not None else PassedOver()
    seen: set[str] = set()
    waiting = [os.path.abspath(root)]
    while waiting:
        folder = waiting.pop()
        real = os.path.realpath(folder)
        if real in seen or (real in excluded and folder != os.path.abspath(root)):
            continue
        seen.add(real)
        try:
            paths = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
        except OSError as error:
            yield Source(storable(folder), problem=Problem("vanished", f"the folder cannot be read: {error.strerror}"))
            continue
        folders = [path for path in paths if os.path.isdir(path)]
        waiting += [path for path in reversed(folders) if not os.path.basename(path).startswith(".")]
        entries = passed.sift(_entry(path) for path in paths if not os.path.isdir(path))
        found = paired(entries, _holds_video)
        passed.note(entries, found)
        yield from found


class Folders:
    """Names in the folders of named files, each folder listed once."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, list[str]]] = {}

    def beside(self, path: str) -> list[str]:
        """Other files of the same folder whose name begins with this one's, up to the first dot."""
        folder, name = os.path.split(path)
        if folder not in self._names:
            self._names[folder] = by_start = {}
            for other in sorted(os.listdir(folder)):
                by_start.setdefault(other.partition(".")[0], []).append(other)
        return [os.path.join(folder, other) for other in self._names[folder].get(name.partition(".")[0], []) if other != name]


def file_source(path: str, folders: Folders | None = None) -> Source:
    """One named file with its sidecars; absent when it is not there. Raises `UsageError` for what is no regular file."""
    path = os.path.abspath(path)
    entry = _entry(path)
    if entry.bytes is None:
        if os.path.lexists(path) and not os.path.islink(path):
            raise UsageError(f"{storable(path)} is no regular file")
        return Source(storable(path))
    beside = [_entry(name) for name in (folders or Folders()).beside(path)]
    return paired([entry, *beside], lambda other: other == entry, only=entry)[0]


def glob_sources(pattern: str, excluded: Collection[str] = (), passed: PassedOver | None = None) -> list[Source]:
    """What a glob matches (`**` for any depth); `passed` as for a folder. Raises `MissingError` when that is nothing."""
    passed = passed if passed is not None else PassedOver()
    matches = sorted(glob.glob(pattern, recursive=True))
    if not matches:
        raise MissingError(f"nothing matches {pattern}")
    found: list[Source] = []
    folders = Folders()
    left: list[Entry] = []
    for match in matches:
        if os.path.isdir(match):
            found += folder_sources(match, excluded, passed)
            continue
        for entry in passed.sift([_entry(os.path.abspath(match))]):
            if may_be_video(entry.name) or _holds_video(entry):
                found.append(file_source(match, folders))
            else:
                left.append(entry)
    passed.note(left, found)
    return found


def store_sources(uri: str, excluded: Collection[str] = (), passed: PassedOver | None = None) -> list[Source]:
    """An object, or all below a prefix, of an object store, but for what lies below the addresses `excluded`; `passed` as for a folder.

    Raises `MissingError` when the store cannot be read, `UsageError` for a password in the address: addresses are kept.
    """
    given, _, place = uri.partition("://")[2].partition("/")[0].rpartition("@")
    if ":" in given:
        raise UsageError(f"credentials in the address of {place} are not taken; give them in the environment, as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    from pyarrow import ArrowException, fs

    try:
        store, base = storage.filesystem(uri)
        info = store.get_file_info(base)
        if info.type == fs.FileType.Directory:
            found = store.get_file_info(fs.FileSelector(base, recursive=True))
        else:
            found = [info] if info.type == fs.FileType.File else []
    except (OSError, ArrowException) as error:
        raise MissingError(f"{uri} cannot be read: {str(error).splitlines()[0][:200]}") from error
    root = uri.rstrip("/")
    folders: dict[str, list[Entry]] = {}
    for item in sorted((item for item in found if item.type == fs.FileType.File), key=lambda item: item.path):
        address = root + item.path[len(base.rstrip("/")) :]
        if any(s3.spelled(address).startswith(prefix + "/") for prefix in excluded):
            continue
        folders.setdefault(str(PurePosixPath(item.path).parent), []).append(Entry(address, item.size, item.mtime_ns))
    sources = []
    for entries in folders.values():
        of_folder = paired(entries, lambda entry: False)
        sources += of_folder
        if passed is not None:
            passed.note(entries, of_folder)
    return sources or [Source(uri)]


def storable(path: str) -> str:
    """A path as text that can be stored: bytes that are no UTF-8 are shown as escapes."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _entry(path: str) -> Entry:
    """A file with size and time; without them when it is no regular file."""
    try:
        status = os.stat(path)
    except OSError:
        return Entry(path)
    return Entry(path, status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else Entry(path)


def _holds_video(entry: Entry) -> bool:
    """True when a file with a sidecar's extension begins as a video does."""
    try:
        return sniff(entry.address) in VIDEO_DEMUXERS
    except Rejected:
        return False
