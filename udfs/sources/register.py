"""What a worker does with one source: bring it here, describe it, hash it. Result rows, never exceptions."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from schemas import storage
from schemas.codes import Rejected
from schemas.videos import TABLE
from udfs.displayed import remarks as of_picture
from udfs.header import read_header
from udfs.media import Probe, local_path, probe, staged
from udfs.registered import digest
from udfs.sources import shelf
from udfs.sources.address import youtube_id
from udfs.sources.credentials import without_credentials
from udfs.sources.patience import Refused
from udfs.sources.source import Source, Span, Tube
from udfs.sources.spans import fitted
from udfs.sources.youtube import PROVENANCE_NAME, Download, RemovedError, fetch, finished

Item = dict[str, Any]
Row = dict[str, Any]

DECIDED_LATER = ("video_id", "labels", "ingested_at", "run_id")
"""Columns of `videos` that a worker does not know."""

ROWS = pa.schema(
    [
        ("number", pa.int64()),
        ("code", pa.string()),
        ("detail", pa.string()),
        ("removed", pa.bool_()),
        ("waiting", pa.string()),
        ("remarks", pa.list_(pa.string())),
        *[(field.name, field.type) for field in TABLE.schema if field.name not in DECIDED_LATER],
    ]
)
"""Result rows, one per source: why it failed (`code`, `detail`); or that it is `removed`; or columns of `videos`, with the lake's
folder in which its media is `waiting` for an id."""


@dataclass(frozen=True)
class Registration:
    """What the workers of one run do. `media` is the lake's media folder; `removed_*` are tombstones."""

    media: str
    copy: bool = False
    download: Download | None = None
    removed_sha256: frozenset[str] = frozenset()
    removed_channels: frozenset[str] = frozenset()

    def copies(self, uri: str) -> bool:
        """True when the media at an address is copied into the lake: on demand, and from a local disk always when the lake is remote."""
        return self.copy or (storage.is_remote(self.media) and local_path(uri) is not None)


def item_of(number: int, source: Source) -> Item:
    """A source as it travels to a worker."""
    return {
        "number": number,
        "uri": source.uri,
        "fetch_uri": source.fetch_uri,
        "bytes": source.bytes,
        "is_download": source.is_download,
        "provenance": dict(source.provenance),
        "spans": None if source.spans is None else [vars(span) for span in source.spans],
        "tubes": None if source.tubes is None else [vars(tube) for tube in source.tubes],
        "subtitle_uri": source.subtitle_uri,
        "audio_uri": source.audio_uri,
        "audio_is_named": source.audio_is_named,
    }


def register_items(plan: Registration, items: list[Item]) -> Iterator[tuple[int, list[Row]]]:
    """Describe every item (see `item_of`), in order. Once a site refuses, its other items of this task are not tried."""
    refused: str | None = None
    for index, item in enumerate(items):
        if refused is not None and item["is_download"]:
            yield index, [failure(item, "download_failed", f"not tried, because of an answer before: {refused}"[:500])]
            continue
        try:
            yield index, [_row(item, _described(plan, item))]
        except RemovedError:
            yield index, [_row(item, {"removed": True})]
        except Rejected as rejected:
            refused = rejected.detail if isinstance(rejected, Refused) else refused
            yield index, [failure(item, rejected.code, rejected.detail)]
        except FileNotFoundError:
            yield index, [failure(item, "vanished", "the file is not there any more")]
        except Exception as error:  # noqa: BLE001 - one source must not end the others' task; the row says what happened
            yield index, [failure(item, "internal", without_credentials(f"{type(error).__name__}: {error}")[:500])]


def failure(item: Item, code: str, detail: str) -> Row:
    """The row of a source that cannot be used."""
    return _row(item, {"code": code, "detail": detail})


def died(item: Item) -> list[Row]:
    """The row of a source that killed its Python process twice."""
    return [failure(item, "worker_died", "the process that looked at this file died, and again when it had the file alone")]


def _row(item: Item, values: Row) -> Row:
    return {"number": item["number"], "removed": False, "remarks": [], **values}


def _described(plan: Registration, item: Item) -> Row:
    """Columns of `videos` of one item."""
    if item["is_download"]:
        return _downloaded(plan, item)
    with staged(item["uri"]) as path:
        if not plan.copies(item["uri"]):
            return _columns(plan, item, path)
        with shelf.copying(plan.media) as folder:
            copy = folder / f"video{shelf.suffix(item['uri'], '.media')}"
            probe(path)
            shutil.copyfile(path, copy)
            row = _columns(plan, _with_copied_sidecars(item, folder), copy, folder)
            if row["removed"]:
                return row
            # Two sources with the same bytes may have different sidecars, so each waits in a folder of its own.
            waiting = shelf.keep(folder, plan.media, f"{row['sha256'][:32]}-{text_digest(item['uri'])}")
            return row | moved_uris(row, folder, waiting) | {"waiting": waiting}


def _downloaded(plan: Registration, item: Item) -> Row:
    assert plan.download is not None
    url = item["uri"]
    video_id = youtube_id(url)
    key = video_id or f"u-{text_digest(url)}"
    if storage.is_remote(plan.media):
        with shelf.copying(plan.media) as folder:
            place = shelf.taken_out(plan.media, video_id, key, PROVENANCE_NAME, folder)
            place = place if place and finished(folder, url) else None
            row = _fetched(plan, item, folder)
            waiting = place or (None if row["removed"] else shelf.keep(folder, plan.media, key))
            return row | (moved_uris(row, folder, waiting) | {"waiting": waiting} if waiting else {})
    folder = Path(plan.media, video_id) if video_id else None
    if folder is None or finished(folder, url) is None:
        folder = Path(shelf.incoming(plan.media, key))
    return _fetched(plan, item, folder) | {"waiting": str(folder)}


def _fetched(plan: Registration, item: Item, folder: Path) -> Row:
    """Columns of `videos` of what was fetched into a local folder."""
    assert plan.download is not None
    fetched = fetch(item["uri"], folder, plan.download, plan.removed_channels, asked=item["fetch_uri"])
    known = item | {"subtitle_uri": str(fetched.subtitle) if fetched.subtitle else None, "provenance": {**item["provenance"], **fetched.source}}
    row = _columns(plan, known, fetched.video, folder)
    return row | {"remarks": [*row["remarks"], *fetched.remarks]}


def _columns(plan: Registration, item: Item, path: Path, own: Path | None = None) -> Row:
    """Columns of `videos` for a file that is here; one in the folder `own` is the lake's, whatever it was copied from."""
    probed = probe(path)
    if probed.duration_s <= 0:
        raise Rejected("decode_error", "its only frame has no length")
    sha256 = digest(path)
    if sha256 in plan.removed_sha256:
        return {"removed": True, "remarks": []}
    rate, remarks = (None, []) if not item["audio_uri"] else _separate_sound(item, probed)
    spans, outside = fitted(
        None if item["spans"] is None else [Span(**span) for span in item["spans"]],
        None if item["tubes"] is None else [Tube(**tube) for tube in item["tubes"]],
        duration_s=probed.duration_s,
        fps=probed.fps,
        width=probed.width,
        height=probed.height,
    )
    subtitle = item["subtitle_uri"] if item["subtitle_uri"] and _is_there(item["subtitle_uri"]) else None
    remarks += of_picture(read_header(path))
    remarks += ["its subtitle file is not there"] if item["subtitle_uri"] and not subtitle else []
    remarks += ["a span of the manifest does not lie in the video and is left out"] if outside else []
    measured = {name: value for name, value in vars(probed).items() if name != "start_s"}
    provenance = {"platform": "file", **item["provenance"]}
    return {
        **measured,
        "uri": str(path) if own is not None else item["uri"],
        "sha256": sha256,
        "has_audio": probed.has_audio or rate is not None,
        "sample_rate": probed.sample_rate if rate is None else rate,
        "audio_uri": item["audio_uri"] if rate is not None else None,
        "subtitle_uri": subtitle,
        "source": provenance,
        "spans": spans,
        "removed": False,
        "remarks": remarks,
    }


def _separate_sound(item: Item, probed: Probe) -> tuple[int | None, list[str]]:
    """Sample rate in Hz of the separate sound when it is to be used: a manifest names it, or the video is silent."""
    if probed.has_audio and not item["audio_is_named"]:
        return None, []
    try:
        with staged(item["audio_uri"]) as path:
            header = read_header(path)
    except Rejected:
        return None, ["its separate audio file cannot be used"]
    return (header.sample_rate, []) if header.audio_codec else (None, ["its separate audio file has no sound"])


def _is_there(uri: str) -> bool:
    try:
        with staged(uri) as path:
            return path.is_file()
    except Rejected:
        return False


def _with_copied_sidecars(item: Item, folder: Path) -> Item:
    """The item with its sidecars copied beside the video; those that are not there stay as they are named."""
    copied = dict(item)
    for name, stem in (("audio_uri", "audio"), ("subtitle_uri", "subtitles")):
        if item[name] and _is_there(item[name]):
            with staged(item[name]) as path:
                target = folder / f"{stem}{shelf.suffix(item[name], '.media')}"
                shutil.copyfile(path, target)
                copied[name] = str(target)
    return copied


def moved_uris(row: Row, before: str | os.PathLike[str], after: str) -> dict[str, str | None]:
    """The row's addresses once the folder `before` is called `after`."""
    inside = os.fspath(before).rstrip("/") + "/"
    uris = {name: row.get(name) for name in ("uri", "audio_uri", "subtitle_uri")}
    return {name: storage.at(after, uri.removeprefix(inside)) if uri and uri.startswith(inside) else uri for name, uri in uris.items()}


def text_digest(text: str) -> str:
    """32 hex digits of a text's sha256: a safe name for it."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
