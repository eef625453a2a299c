"""Labels: who is seen and heard, as a CSV of the user's or a manifest says."""

import csv
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from schemas.errors import MissingError, UsageError
from udfs.sources.address import download_source, is_http, is_store
from udfs.sources.text import clean

NAMES = ("language", "speaker_id", "age_group", "gender", "ethnicity", "category")
KEYS = ("uri", "video_id")
AGE_GROUPS = ("0-19", "19-30", "31-45", "46-60", "60+")
FROM_MANIFEST, FROM_CSV = "manifest", "labels-csv"
LONGEST = 200


def age_group(text: str | None) -> str | None:
    """An age group in the spelling of the tables; None for anything that is none."""
    plain = (text or "").replace(" ", "").replace("\u2013", "-")
    return plain if plain in AGE_GROUPS else None


@dataclass(frozen=True)
class LabelSheet:
    """The rows of a `--labels` CSV: labels by video_id and by address, each only those that the row gives."""

    by_video_id: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    by_uri: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.by_video_id or self.by_uri)

    def of(self, video_id: str | None, addresses: Iterable[str | None]) -> dict[str, str]:
        """What the sheet says of a video that has this id, or lies at one of these addresses; the id's row goes before."""
        found: dict[str, str] = {}
        for address in addresses:
            found |= self.by_uri.get(address or "", {})
        return found | dict(self.by_video_id.get(video_id or "", {}))


def read_sheet(path: str) -> LabelSheet:
    """Read a labels CSV with the headings `uri` or `video_id`, then any of `NAMES`; relative paths are relative to the CSV.

    Raises `MissingError` when it is not there, `UsageError` for headings, age groups or repeated rows that cannot be taken.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError):
        raise MissingError(f"there is no labels file {path}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no UTF-8 text; save the labels as a UTF-8 CSV") from None
    try:
        rows = list(csv.reader(text.splitlines(keepends=True), strict=True))
    except csv.Error as error:
        raise UsageError(f"{path} is no CSV: {error}") from None
    headings = [heading.strip() for heading in rows[0]] if rows else []
    _check_headings(path, headings)
    sheets: dict[str, dict[str, dict[str, str]]] = {key: {} for key in KEYS}
    for line, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) > len(headings):
            raise UsageError(f"{path} row {line} has {len(row)} cells, the heading {len(headings)}")
        cells = {heading: clean(cell, LONGEST if heading in NAMES else 4000) for heading, cell in zip(headings, row)}
        labels = {name: cells[name] for name in NAMES if cells.get(name)}
        if "age_group" in labels:
            labels["age_group"] = _checked_age_group(path, line, labels["age_group"])
        keys = [(key, cells[key]) for key in KEYS if cells.get(key)]
        if not keys:
            raise UsageError(f"{path} row {line} names no video: it needs a uri or a video_id")
        key, value = keys[-1]
        value = address_in(value, os.path.dirname(os.path.abspath(path))) if key == "uri" else value
        if sheets[key].setdefault(value, labels) != labels:
            raise UsageError(f"{path} row {line} gives {value} other labels than a row before")
    return LabelSheet(by_video_id=sheets["video_id"], by_uri=sheets["uri"])


def address_in(text: str, folder: str) -> str:
    """An address as sources have it: links in their kept form, paths absolute, relative ones taken from `folder`."""
    download = download_source(text) if is_http(text) else None
    if download is not None:
        return download.uri
    return text if is_store(text) else os.path.abspath(os.path.join(folder, os.path.expanduser(text)))


def _check_headings(path: str, headings: list[str]) -> None:
    known = KEYS + NAMES
    unknown = [heading for heading in headings if heading not in known]
    if unknown:
        raise UsageError(f"{path} has the unknown heading {unknown[0]!r}; known are: {', '.join(known)}")
    if not set(KEYS) & set(headings):
        raise UsageError(f"{path} needs a heading uri or video_id; known headings are: {', '.join(known)}")
    if len(set(headings)) < len(headings):
        raise UsageError(f"{path} has a heading twice")


def _checked_age_group(path: str, line: int, text: str) -> str:
    group = age_group(text)
    if group is None:
        raise UsageError(f"{path} row {line} has the age group {text!r}; known are: {', '.join(AGE_GROUPS)}")
    return group
