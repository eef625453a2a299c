"""The target in files beside the tables: media the lake holds, generated videos, reports."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from jobs.removal.target import Target
from schemas import storage
from schemas.lake import Lake
from schemas.tables import TABLES
from udfs.sources.register import text_digest
from udfs.sources.shelf import INCOMING

REPORTS = "reports"
"""Folder of the lake in which the addresses of its reports stand, a file each: reports take no lease, so that no table can know them."""


def media(lake: Lake, target: Target) -> list[str]:
    """Files of the target's media that lie under the lake, those that wait for an id included."""
    root = lake.place.at("media")
    waiting = {*target.video_ids, *(f"u-{text_digest(address)}" for address in target.addresses)}
    hashes = {sha256[:32] for sha256 in target.sha256}
    found = []
    for entry in storage.listed(root):
        folder, _, rest = entry.uri[len(root) + 1 :].partition("/")
        if folder == INCOMING:
            key = rest.partition("/")[0]
            mine = key in waiting or key[:32] in hashes
        else:
            mine = folder in target.video_ids
        if mine or entry.uri in target.addresses:
            found.append(entry.uri)
    return found


def outside(lake: Lake, target: Target) -> list[str]:
    """Files of the target's media that lie elsewhere and are there: they are the user's own."""
    named = {video.get(name) for video in target.videos for name in ("uri", "audio_uri", "subtitle_uri")} | target.addresses
    places = sorted(uri for uri in named if uri and "://" not in uri and not uri.startswith(lake.place.root + "/"))
    return [uri for uri in places if storage.exists(uri)]


def generated(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Videos that generation made of the target, by its rows of `generations`."""
    return sorted({row["output_uri"] for row in rows if row.get("output_uri") and storage.exists(row["output_uri"])})


def inputs(lake: Lake, rows: Sequence[dict[str, Any]]) -> list[str]:
    """What generation put into the lake to make these rows of `generations`, and no other row needs."""
    from jobs.generation_inputs import own

    if not rows:
        return []
    gone = {_row_key(row) for row in rows}
    others = [row for row in lake.ledger.read("generations").to_pylist() if _row_key(row) not in gone]
    return sorted(uri for uri in own(lake, rows) - own(lake, others) if storage.exists(uri))


def _row_key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in TABLES["generations"].key)


def note_report(lake: Lake, page: str) -> bool:
    """Let a removal find a page that lies outside the lake; False where the lake cannot be written to."""
    if page.startswith(lake.place.root + "/"):
        return True
    try:
        storage.put_bytes(page.encode(), lake.place.at(REPORTS, text_digest(page)))
    except PermissionError:
        return False
    return True


def reports(lake: Lake, target: Target) -> list[str]:
    """Pages that show or name the target: those of this lake, wherever they were written."""
    pages = {str(page) for page in Path(lake.place.root).glob("*.htm*")} if lake.place.is_local else {lake.place.at("report.html")}
    pages |= {(storage.read_bytes(note.uri) or b"").decode() for note in storage.listed(lake.place.at(REPORTS))}
    pages |= {uri for run in lake.ledger.read("runs", ["output_uris"]).to_pylist() for uri in run["output_uris"] or ()}
    found = []
    for page in sorted(page for page in pages if re.search(r"\.html?$", page)):
        text = storage.read_bytes(page)
        if text is not None and target.named_by(text.decode(errors="replace")):
            found.append(page)
    return found
