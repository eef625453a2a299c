"""The target in folders that were exported: its media and their JSON, its lines in manifests, its members of tar shards."""

import io
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jobs.bench_choice import AXES
from jobs.layouts.card import dataset_card
from jobs.removal.target import Target
from schemas import storage
from schemas.lake import Lake

WRITERS = frozenset({"export", "bench"})
"""Verbs whose outputs are exported folders."""
_SHARD = re.compile(r"(?:^|/)\d{6}\.tar$")
_LISTS = ("filtered_video_clips.json", "metadata.jsonl", *(f"test_{axis}.json" for axis in AXES))
_CARD = "README.md"


@dataclass(frozen=True)
class Named:
    """One thing in an export that belongs to the target: a file, or a part of the file `uri`."""

    uri: str
    whole: bool


def folders(lake: Lake) -> list[str]:
    """Every folder that this lake knows to have been exported to, and that still holds something."""
    found = set(lake.ledger.read("exports", ["out"])["out"].unique().to_pylist())
    for run in lake.ledger.read("runs", ["verb", "output_uris"]).to_pylist():
        if run["verb"] in WRITERS:
            found.update(uri for uri in run["output_uris"] or () if not re.search(r"\.html?$", uri))
    return sorted(folder for folder in found if folder != lake.place.root and storage.listed(folder))


def named(folder: str, target: Target) -> list[Named]:
    """What of a folder belongs to the target: whole files, lines of manifests, members of shards."""
    found: list[Named] = []
    for entry in storage.listed(folder):
        name = entry.uri.rpartition("/")[2]
        if target.named_by_file(name):
            found.append(Named(entry.uri, True))
        elif _SHARD.search(entry.uri):
            found += [Named(entry.uri, False) for member in _members(entry.uri) if target.named_by_file(member)]
        elif name in _LISTS:
            found += [Named(entry.uri, False) for record in _records(entry.uri) if _is_of(record, target)]
    return found


def take_out(found: list[Named], target: Target) -> None:
    """Delete the files, and rewrite those of which a part belongs to the target; each new one gets its name only when it is whole."""
    for uri in sorted({thing.uri for thing in found if not thing.whole}):
        if _SHARD.search(uri):
            _rewrite_shard(uri, target)
        else:
            _rewrite_list(uri, target)
    for thing in found:
        if thing.whole:
            storage.delete(thing.uri)


def _is_of(record: dict[str, Any], target: Target) -> bool:
    return target.has_clip(record.get("clip_id")) or target.named_by(json.dumps(record, ensure_ascii=False))


def _members(uri: str) -> list[str]:
    try:
        with storage.open_file(uri) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            return tar.getnames()
    except tarfile.ReadError:
        return []


def _rewrite_shard(uri: str, target: Target) -> None:
    kept = 0
    with (
        storage.open_file(uri) as source,
        tarfile.open(fileobj=source, mode="r:") as before,
        storage.writing(uri) as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as after,
    ):
        for member in before:
            if not target.named_by_file(member.name):
                entry = tarfile.TarInfo(member.name)
                entry.size = member.size
                after.addfile(entry, before.extractfile(member) or io.BytesIO())
                kept += 1
    if not kept:
        storage.delete(uri)


def _lines(uri: str) -> Iterator[str]:
    """Lines of a text, some at a time; files of a store cannot be iterated."""
    rest = b""
    with storage.open_file(uri) as file:
        while block := file.read(storage.COPY_BYTES):
            *lines, rest = (rest + block).split(b"\n")
            yield from (line.decode("utf-8", "replace") for line in lines)
    yield rest.decode("utf-8", "replace")


def _records(uri: str) -> Iterator[dict[str, Any]]:
    """The records of a manifest or a JSON-lines file, as export writes both: one a line."""
    for line in _lines(uri):
        text = line.strip().rstrip(",")
        if text.startswith("{"):
            yield json.loads(text)


def _rewrite_list(uri: str, target: Target) -> None:
    """Write a list without some of its records, and the dataset card beside it to match."""
    is_manifest = uri.endswith(".json")
    facts = []
    with storage.writing(uri) as file:
        before = b"[\n"
        for line in _lines(uri):
            text = line.strip().rstrip(",")
            if not text.startswith("{") or _is_of(record := json.loads(text), target):
                continue
            facts.append((record.get("licence"), record.get("platform"), record.get("end-time", 0) - record.get("start-time", 0)))
            file.write(before + text.encode() if is_manifest else text.encode() + b"\n")
            before = b",\n"
        if is_manifest:
            file.write(b"\n]\n" if before == b",\n" else b"[]\n")
    card = uri.rpartition("/data/train/")[0] + "/" + _CARD
    if not is_manifest and "/data/train/" in uri and storage.exists(card):
        text = (storage.read_bytes(card) or b"").decode()
        storage.put_bytes(dataset_card(facts, media="holds addresses and times only" not in text).encode(), card)
