"""TalkVid's JSON manifests: the six-field list and the released record (talkvid.md §1.1, §6.2)."""

import json
import math
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from schemas.errors import UsageError
from schemas.ids import is_safe_id
from udfs.sources.address import download_source, is_http, is_store
from udfs.sources.labels import LONGEST, NAMES, age_group
from udfs.sources.listing import Folders, file_source, storable, store_sources
from udfs.sources.source import Problem, Source, Span
from udfs.sources.text import clean

INFO_NAMES = dict(zip(("Language", "Person ID", "Age Group", "Gender", "Ethnicity", "Video Category"), NAMES, strict=True))
"""Keys of a record's `info`, and our names for them."""

DISAGREED = ""
"""Stands for a label that records of one video give differently; it ends up null."""


@dataclass
class Gathered:
    """What the records of one video say together. `download` is its source where it lies on the network, `ids` the platform ids they claim for it."""

    address: str
    link: Source | None = None
    download: Source | None = None
    ids: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    spans: dict[Span, None] = field(default_factory=dict)
    has_spans: bool = False
    bad_spans: int = 0
    audio_uri: str | None = None
    subtitle_uri: str | None = None


def manifest_sources(path: str) -> list[Source]:
    """Sources of a manifest: a JSON list, one object, or one object a line; records of one video become one source.

    Paths are relative to the manifest. A record without path or link, or a line that is no JSON, is a source with a problem.
    Raises `UsageError` when the file as a whole is no manifest.
    """
    status = os.stat(path)
    folder = os.path.dirname(os.path.abspath(path))
    gathered: dict[str, Gathered] = {}
    bad: list[Source] = []
    for number, record in _records(path):
        address = _address(record, folder)
        if address is None:
            detail = f"record {number} names no video: it has neither a video-path nor a usable Video Link"
            problem = Problem("not_media", detail if isinstance(record, dict) else f"record {number} is no JSON object")
            bad.append(Source(storable(f"{os.path.abspath(path)}#record={number}"), status.st_size, status.st_mtime_ns, problem=problem))
        else:
            _gather(gathered.setdefault(address, Gathered(address)), record, folder)
    return _sources(gathered.values()) + bad


def _records(path: str) -> Iterator[tuple[int, Any]]:
    """Numbered records, from 1; a line of a line-wise manifest that is no JSON comes as None."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read()
        try:
            whole = json.loads(text)
        except ValueError as error:
            lines = [line for line in text.split("\n") if line.strip()]
            records = [_parsed(line) for line in lines]
            if not any(isinstance(record, dict) for record in records) or len(lines) < 2:
                raise UsageError(f"{path} is no TalkVid manifest: {error}") from None
            yield from enumerate(records, start=1)
            return
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no TalkVid manifest: it is no UTF-8 text") from None
    except RecursionError:
        raise UsageError(f"{path} is no TalkVid manifest: it is nested too deeply") from None
    if not isinstance(whole, list | dict):
        raise UsageError(f"{path} is no TalkVid manifest: it holds neither a list nor an object")
    yield from enumerate(whole if isinstance(whole, list) else [whole], start=1)


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _address(record: Any, folder: str) -> str | None:
    """Where a record's video lies: its path, else its link."""
    if not isinstance(record, dict):
        return None
    given = _given(record.get("video-path"), folder)
    link = _link(record)
    return given or (link.uri if link else None)


def _given(value: Any, folder: str) -> str | None:
    """A path or address of a record; paths absolute, taken from `folder`."""
    text = clean(value) if isinstance(value, str) else None
    if text is None or is_store(text):
        return text
    if is_http(text):
        link = download_source(text)
        return link.uri if link else None
    return os.path.abspath(os.path.join(folder, text))


def _beside(value: Any, folder: str) -> str | None:
    """A sidecar's path; sidecars are not downloaded."""
    address = _given(value, folder)
    return None if address is None or is_http(address) else address


def _link(record: dict[str, Any]) -> Source | None:
    info = record.get("info")
    text = clean(info.get("Video Link")) if isinstance(info, dict) else None
    return download_source(text) if text else None


def _download(record: dict[str, Any]) -> Source | None:
    """What is to be fetched when a record's path is an address on the network."""
    text = clean(record.get("video-path"))
    return download_source(text) if text and is_http(text) else None


def _gather(gathered: Gathered, record: dict[str, Any], folder: str) -> None:
    """Add what one record says."""
    link = _link(record)
    gathered.link = gathered.link or link
    gathered.download = gathered.download or _download(record) or link
    named = clean(record.get("video-id"))
    for claimed in (named, link.video_id if link else None):
        if claimed and is_safe_id(claimed) and claimed not in gathered.ids:
            gathered.ids.append(claimed)
    for name, value in _labels(record).items():
        gathered.labels[name] = value if gathered.labels.get(name, value) == value else DISAGREED
    if any(name in record for name in ("start-time", "start", "end-time", "end")):
        gathered.has_spans = True
        span = _span(record)
        gathered.bad_spans += span is None
        if span is not None:
            gathered.spans[span] = None
    gathered.audio_uri = gathered.audio_uri or _beside(record.get("audio-path"), folder)
    gathered.subtitle_uri = gathered.subtitle_uri or _beside(record.get("subtitle-path") or record.get("subtitle_path"), folder)


def _labels(record: dict[str, Any]) -> dict[str, str]:
    info = record.get("info")
    if not isinstance(info, dict):
        return {}
    labels = {ours: clean(info.get(theirs), LONGEST) for theirs, ours in INFO_NAMES.items()}
    labels["age_group"] = age_group(labels["age_group"])
    return {name: value for name, value in labels.items() if value}


def _span(record: dict[str, Any]) -> Span | None:
    """The record's span; None without one or where it is no span. A start of 0 is a start."""
    start_s = _seconds(record["start-time"] if "start-time" in record else record.get("start"))
    end_s = _seconds(record["end-time"] if "end-time" in record else record.get("end"))
    if start_s is None or end_s is None or start_s < 0 or end_s <= start_s:
        return None
    description = record.get("description")
    return Span(start_s, end_s, clean(description) if isinstance(description, str) else None)


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) else None


def _sources(videos: Collection[Gathered]) -> list[Source]:
    """One source per video. An id that several files claim belongs to none of them: they are pieces of one video."""
    claims: dict[str, int] = {}
    for video in videos:
        for claimed in video.ids:
            claims[claimed] = claims.get(claimed, 0) + 1
    folders = Folders()
    return [_source(video, next((claimed for claimed in video.ids if claims[claimed] == 1), None), folders) for video in videos]


def _source(video: Gathered, video_id: str | None, folders: Folders) -> Source:
    found = video.download if video.download and video.download.uri == video.address else _found(video.address, folders)
    remarks = [f"records of one video disagree on its {name}, which is left empty" for name, value in video.labels.items() if value == DISAGREED]
    remarks += ["a span of the manifest is no span (start below 0, end before start, no number) and is left out"] * (video.bad_spans > 0)
    return replace(
        found,
        video_id=found.video_id or video_id,
        provenance=found.provenance or (video.link.provenance if video.link else {}),
        labels={name: value for name, value in video.labels.items() if value != DISAGREED},
        spans=tuple(sorted(video.spans, key=lambda span: (span.start_s, span.end_s))) if video.has_spans else None,
        subtitle_uri=video.subtitle_uri or found.subtitle_uri,
        audio_uri=video.audio_uri or found.audio_uri,
        audio_is_named=video.audio_uri is not None,
        remarks=tuple(remarks),
    )


def _found(address: str, folders: Folders) -> Source:
    """A file or object that a record names; what is neither is a problem of this record alone."""
    if is_store(address):
        stored = store_sources(address)
        if len(stored) == 1 and stored[0].uri == address:
            return stored[0]
    else:
        try:
            return file_source(address, folders)
        except UsageError:
            pass
    return Source(storable(address), problem=Problem("not_media", "the manifest names something that is no file"))
