"""All sources a user named: what each word means, and the sources behind it."""

import os
from collections.abc import Collection, Iterator
from dataclasses import replace

from schemas.codes import Rejected
from schemas.errors import MissingError, UsageError
from schemas.ids import is_youtube_id
from udfs.sniff import sniff
from udfs.sources.address import download_source, is_http, is_store
from udfs.sources.listing import Folders, PassedOver, file_source, folder_sources, glob_sources, storable, store_sources
from udfs.sources.source import Problem, Source, merged
from udfs.sources.talkinghead1kh import LIST_NAME, list_sources
from udfs.sources.talkvid_manifest import manifest_sources

FORMATS = ("auto", "files", "list", "talkvid", "talkinghead1kh")
LIST_SUFFIXES = (".txt", ".lst", ".list", ".urls")
MANIFEST_SUFFIXES = (".json", ".jsonl", ".ndjson")


def read_sources(
    words: Collection[str], *, kind: str = "auto", download: bool = False, excluded: Collection[str] = (), passed: PassedOver | None = None
) -> list[Source]:
    """The sources behind what the user named (folder, file, glob, list, manifest, address, YouTube id), each address once.

    `kind` is one of `FORMATS`; `auto` looks at names and first bytes. `excluded` are folders (real paths) that are not listed;
    `passed` learns what the listings left out. Without `download`, an address is a source with a problem. Raises `MissingError`
    for what is not there, `UsageError` when nothing but addresses is found and they may not be downloaded.
    """
    found = merged(source for word in words for source in _behind(word, kind, download, excluded, passed))
    addresses = [source for source in found if source.is_download]
    if addresses and not download:
        if len(addresses) == len(found):
            raise UsageError(f"{addresses[0].uri} is an address on the network; give --download to fetch it")
        problem = Problem("download_failed", "it is an address on the network; run again with --download to fetch it")
        return [replace(source, problem=problem) if source.is_download else source for source in found]
    return found


def _behind(word: str, kind: str, download: bool, excluded: Collection[str], passed: PassedOver | None) -> Iterator[Source]:
    """The sources of one word of the command line."""
    if word.startswith("file://"):
        word = word.removeprefix("file://")
    if is_store(word):
        yield from store_sources(word, excluded, passed)
    elif is_http(word):
        yield _download(word)
    elif os.path.isdir(word):
        yield from list_sources(word, download) if kind == "talkinghead1kh" else _folder(word, kind, excluded, passed)
    elif os.path.lexists(word):
        yield from _file(word, kind, download, excluded, passed)
    elif is_youtube_id(word) and download:
        yield _download(word)
    elif any(character in word for character in "*?["):
        yield from glob_sources(word, excluded, passed)
    else:
        hint = "; give --download if it is a YouTube id" if is_youtube_id(word) else ""
        raise MissingError(f"there is no file or folder {storable(word)}{hint}")


def _folder(word: str, kind: str, excluded: Collection[str], passed: PassedOver | None) -> Iterator[Source]:
    if kind in ("list", "talkvid"):
        raise UsageError(f"{word} is a folder; --format {kind} takes a file")
    return folder_sources(word, excluded, passed)


def _file(path: str, kind: str, download: bool, excluded: Collection[str], passed: PassedOver | None) -> Iterator[Source]:
    if not os.path.exists(path):
        raise MissingError(f"{storable(path)} is a link to nothing")
    if not os.path.isfile(path):
        raise UsageError(f"{storable(path)} is no regular file")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{storable(path)} may not be read by this user")
    kind = kind_of(path) if kind == "auto" else kind
    if kind == "list":
        yield from text_list(path, excluded, passed)
    elif kind == "talkvid":
        yield from manifest_sources(path)
    elif kind == "talkinghead1kh":
        yield from list_sources(path, download)
    else:
        yield file_source(path)


def kind_of(path: str) -> str:
    """What a named file is: a video (`files`) when its first bytes say so, else by name and first character a list or manifest."""
    name = os.path.basename(path)
    suffix = os.path.splitext(name)[1].lower()
    try:
        sniff(path)
    except Rejected:
        if LIST_NAME.fullmatch(name):
            return "talkinghead1kh"
        with open(path, "rb") as file:
            begins_as_json = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"[", b"{")
        if suffix in MANIFEST_SUFFIXES or (begins_as_json and suffix not in LIST_SUFFIXES):
            return "talkvid"
        if suffix in LIST_SUFFIXES:
            return "list"
    return "files"


def text_list(path: str, excluded: Collection[str] = (), passed: PassedOver | None = None) -> Iterator[Source]:
    """Sources of a text list, one a line: paths (relative to the list), folders, addresses, YouTube ids. `#` begins a comment line.

    A file that is not there is an absent source. Raises `UsageError` when the file is no text.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            lines = file.read().split("\n")
    except UnicodeDecodeError:
        lines = ["\0"]
    if any("\0" in line for line in lines):
        raise UsageError(f"{storable(path)} is no UTF-8 text list")
    base = os.path.dirname(os.path.abspath(path))
    folders = Folders()
    for line in (line.strip("\r\t ") for line in lines):
        if line and not line.startswith("#"):
            yield from _listed(line, base, folders, excluded, passed)


def _listed(line: str, base: str, folders: Folders, excluded: Collection[str], passed: PassedOver | None) -> Iterator[Source]:
    local = os.path.join(base, os.path.expanduser(line.removeprefix("file://")))
    if is_store(line):
        yield from store_sources(line, excluded, passed)
    elif is_http(line) or (is_youtube_id(line) and not os.path.lexists(local)):
        yield _download(line)
    elif os.path.isdir(local):
        yield from folder_sources(local, excluded, passed)
    elif os.path.lexists(local) and not os.path.isfile(local) and not os.path.islink(local):
        yield Source(os.path.abspath(local), problem=Problem("not_media", "the list names something that is no regular file"))
    else:
        yield file_source(local, folders)


def _download(word: str) -> Source:
    source = download_source(word)
    assert source is not None
    return source
