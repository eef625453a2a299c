"""What sources and a labels CSV say of videos that the lake already has."""

from collections.abc import Iterable, Mapping
from typing import Any

from udfs.sources.labels import FROM_CSV, FROM_MANIFEST, NAMES, LabelSheet
from udfs.sources.source import Source
from udfs.sources.spans import fitted, sorted_rows

COLUMNS = ("video_id", "uri", "duration_s", "fps", "width", "height", "source", "labels", "spans")
Row = dict[str, Any]


def labels_row(from_manifest: Mapping[str, str], from_csv: Mapping[str, str], stored: Mapping[str, Any] | None = None) -> Row | None:
    """`videos.labels`: the CSV's words go before what is stored, the manifest fills what is empty. None when nothing is known."""
    before = {name: value for name, value in (stored or {}).items() if value}
    words = {**from_manifest, **{name: before[name] for name in NAMES if name in before}, **from_csv}
    if not words:
        return None
    said_by_csv = bool(from_csv) or before.get("source") == FROM_CSV
    return {name: words.get(name) for name in NAMES} | {"source": FROM_CSV if said_by_csv else FROM_MANIFEST}


def changed_videos(videos: Iterable[Row], sources: Iterable[Source], video_of: Mapping[str, str], sheet: LabelSheet) -> list[Row]:
    """`video_id`, `labels` and `spans` of the videos for which that changes something.

    `videos` are rows with `COLUMNS`; `video_of` names the video that a source's address is. Spans are added, never taken away.
    """
    told: dict[str, list[Source]] = {}
    addresses: dict[str, list[str]] = {}
    for uri, video_id in video_of.items():
        addresses.setdefault(video_id, []).append(uri)
    for source in sources:
        if source.uri in video_of:
            told.setdefault(video_of[source.uri], []).append(source)
    changed = []
    for video in videos:
        own = told.get(video["video_id"], [])
        origin = video["source"] or {}
        said = sheet.of(video["video_id"], [*sorted(addresses.get(video["video_id"], [])), origin.get("url"), video["uri"]])
        labels = labels_row(_manifest_labels(own), said, video["labels"])
        spans = _spans(own, video)
        if labels != video["labels"] or spans != video["spans"]:
            changed.append({"video_id": video["video_id"], "labels": labels, "spans": spans})
    return changed


def _manifest_labels(sources: Iterable[Source]) -> dict[str, str]:
    """Labels of all sources of one video; the first goes before."""
    labels: dict[str, str] = {}
    for source in sources:
        labels = {**source.labels, **labels}
    return labels


def _spans(sources: Iterable[Source], video: Row) -> list[Row] | None:
    """The stored spans with those that the sources add."""
    stored: list[Row] | None = video["spans"]
    for source in sources:
        size = {name: video[name] for name in ("duration_s", "fps", "width", "height")}
        added, _ = fitted(source.spans, source.tubes, **size)
        if added is not None and any(row not in (stored or []) for row in added) or (stored is None and added is not None):
            stored = sorted_rows([*(stored or []), *added])
    return stored
