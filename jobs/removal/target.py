"""What is to be taken out: videos, their clips, and every spelling under which the lake's texts may name them."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from schemas import storage
from schemas.errors import UsageError
from schemas.ids import CLIP_SPAN, is_safe_id, video_of
from schemas.lake import Lake
from schemas.snapshot import snapshot
from schemas.tables import TABLES
from udfs.sources.address import is_http, is_store, youtube_id, youtube_url
from udfs.sources.credentials import without_credentials

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SHORTEST_TOLD = 6
WORDS_AT_ONCE = 400
REMOVED = "(removed)"
_FOLDER = "{word} is a folder; remove takes ids and addresses of videos, which talkvid sql 'SELECT video_id, uri FROM videos' lists"
_OF_NAMES, _OF_ADDRESSES = "A-Za-z0-9_-", "A-Za-z0-9_%./?&=#~+-"
"""Characters that would make another name, or another address, of the one they stand beside."""


@dataclass(frozen=True)
class Request:
    """What somebody asked to be removed: ids and addresses, channels, and why."""

    words: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True)
class Target:
    """Everything that has to go. `videos` are rows of `videos` (or what a tombstone still knows of one); `addresses` belong to no other
    video; `endings` are ids of these videos with which the id of another video ends."""

    videos: tuple[dict[str, Any], ...] = ()
    clip_ids: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()
    endings: frozenset[str] = frozenset()

    @cached_property
    def video_ids(self) -> frozenset[str]:
        """Ids of the videos."""
        return frozenset(video["video_id"] for video in self.videos if video["video_id"])

    @cached_property
    def sha256(self) -> frozenset[str]:
        """Hashes of their bytes."""
        return frozenset(video["sha256"] for video in self.videos if video["sha256"])

    @cached_property
    def patterns(self) -> tuple[str, ...]:
        """Regular expressions for DuckDB that find the target in any text; none when there is nothing to find."""
        names = rf"(?:^|[^{_OF_NAMES}])(?:v_)?(?:{{}})(?:[^{_OF_NAMES}]|$)"
        addresses = rf"(?:^|file://|[^{_OF_ADDRESSES}])(?:{{}})(?:[^{_OF_ADDRESSES}]|$)"
        return (*_in_groups(names, self._names), *_in_groups(addresses, self._spellings), *_in_groups("(?:{})", self._clips))

    @cached_property
    def _search(self) -> tuple[re.Pattern[str], ...]:
        """The same for Python: what they find is the name alone."""
        names = rf"(?<![{_OF_NAMES}])(?:v_)?(?:{{}})(?![{_OF_NAMES}])"
        addresses = rf"(?:(?<=file://)|(?<![{_OF_ADDRESSES}]))(?:{{}})(?![{_OF_ADDRESSES}])"
        forms = (*_in_groups(addresses, self._spellings), *_in_groups(names, self._names), *_in_groups("(?:{})", self._clips))
        return tuple(re.compile(text) for text in forms)

    @cached_property
    def _names(self) -> list[str]:
        names = sorted(name for name in self.video_ids | self.clip_ids if not self._is_span(name))
        return [re.escape(name) + (f"(?:{CLIP_SPAN})?" if _is_telling(name) else CLIP_SPAN) for name in names]

    @cached_property
    def _clips(self) -> list[str]:
        """Ids of clips, found within other names too: people call what they make after the clip it was made of."""
        return [re.escape(name) + CLIP_SPAN for name in sorted(self.video_ids - self.endings) if _is_telling(name)]

    @cached_property
    def _spellings(self) -> list[str]:
        return [re.escape(spelling) for address in sorted(self.addresses) for spelling in sorted(_spellings(address), key=len, reverse=True)]

    @cached_property
    def _file_names(self) -> tuple[re.Pattern[str], ...]:
        names = [re.escape(name) for name in sorted(self.video_ids | self.clip_ids) if not self._is_span(name)]
        return tuple(re.compile(text) for text in _in_groups(rf"v_(?:{{}})(?:{CLIP_SPAN})?(?![{_OF_NAMES}])", names))

    def _is_span(self, name: str) -> bool:
        """True for a clip's id that holds its video's id."""
        return video_of(name) in self.video_ids and name not in self.video_ids

    def named_by(self, text: str) -> bool:
        """True when a text speaks of the target."""
        return any(pattern.search(text) for pattern in self._search)

    def named_by_file(self, name: str) -> bool:
        """True for the file name of a clip of the target, finished or half written."""
        return any(pattern.match(name.lstrip(".")) for pattern in self._file_names)

    def has_clip(self, clip_id: str | None) -> bool:
        """True for a clip of the target."""
        return clip_id is not None and (clip_id in self.clip_ids or (video_of(clip_id) or clip_id) in self.video_ids)

    def without(self, value: Any) -> Any:
        """A value in whose texts the target is no longer named; JSON inside a text stays JSON."""
        if isinstance(value, str):
            for pattern in self._search:
                value = pattern.sub(REMOVED, value)
            return value
        if isinstance(value, dict):
            return {key: self.without(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.without(item) for item in value)
        return value


@dataclass
class Resolved:
    """A target, the tombstones it needs, and words that this lake has never heard of."""

    target: Target
    tombstones: list[dict[str, Any]] = field(default_factory=list)
    unheard: list[str] = field(default_factory=list)


def resolve(lake: Lake, request: Request) -> Resolved:
    """What a request means in this lake, together with what an interrupted removal has left. Raises `UsageError` for words that can
    be no video."""
    engine = snapshot(lake.ledger, tuple(TABLES))
    removals = lake.ledger.read("removals").to_pylist()
    asked = [_asked(word) for word in request.words]
    _make(engine, "asked", "word", (spelling for spellings in asked for spelling in spellings))
    _make(engine, "asked_channels", "word", request.channels)
    _refuse_clips(engine, request.words)
    rows = engine.sql(
        "SELECT video_id, uri, sha256, audio_uri, subtitle_uri, source.url AS url, source.channel AS channel FROM videos "
        "WHERE video_id IN (FROM asked) OR uri IN (FROM asked) OR source.url IN (FROM asked) OR source.channel IN (FROM asked_channels) "
        "OR video_id IN (SELECT video_id FROM sources WHERE uri IN (FROM asked))"
    )
    videos = rows.to_arrow_table().to_pylist()
    buried = [row for row in removals if _is_meant(row, asked, request.channels)]
    known = {video["video_id"] for video in videos}
    videos += [
        {"video_id": row["video_id"], "url": row["url"], "sha256": row["sha256"]} for row in buried if row["video_id"] not in known or not row["video_id"]
    ]
    target = _target(engine, lake, videos, [spelling for spellings in asked for spelling in spellings if is_http(spelling) or is_store(spelling)])
    heard = {value for video in videos for value in (video["video_id"], video.get("uri"), video.get("url")) if value}
    unheard = [word for word, spellings in zip(request.words, asked) if not heard & set(spellings) and not _in_sources(engine, spellings)]
    _refuse_folders(engine, unheard)
    return Resolved(target, _tombstones(videos, target, request, unheard, removals), unheard)


def _asked(word: str) -> list[str]:
    """All spellings of an id or address."""
    found = youtube_id(word)
    if found:
        return [word, found, youtube_url(found)]
    if is_http(word):
        return list(dict.fromkeys((word, without_credentials(word))))
    if is_store(word) and not word.endswith("/"):
        return [word]
    if is_store(word):
        raise UsageError(_FOLDER.format(word=word))
    path = storage.address(word)
    if is_safe_id(word):
        return [word, path] if os.path.isfile(path) else [word]
    if os.path.isdir(path) or word.endswith("/"):
        raise UsageError(_FOLDER.format(word=word))
    if os.path.exists(path) or "/" in word:
        return [word, path]
    raise UsageError(f"remove takes ids of videos and addresses; {word!r} is neither")


def _refuse_clips(engine: "DuckDBPyConnection", words: Sequence[str]) -> None:
    for word in words:
        found = engine.execute("SELECT video_id FROM clips WHERE clip_id = ? AND video_id <> ?", [word, word]).fetchone()
        if found:
            raise UsageError(f"{word} is a clip; remove takes whole videos: talkvid remove {found[0]}")


def _refuse_folders(engine: "DuckDBPyConnection", unheard: Iterable[str]) -> None:
    """No tombstone keeps a folder out, nor a prefix in a store. What the lake knows as an id is one, whatever lies in the working folder."""
    for word in unheard:
        if not is_http(word) and not is_store(word) and os.path.isdir(storage.address(word)):
            raise UsageError(_FOLDER.format(word=word))
        below = ("" if is_http(word) or is_safe_id(word) else word if is_store(word) else storage.address(word)).rstrip("/") + "/"
        if below != "/" and engine.execute("SELECT 1 FROM sources WHERE starts_with(uri, ?) LIMIT 1", [below]).fetchone():
            raise UsageError(_FOLDER.format(word=word))


def _is_meant(row: dict[str, Any], asked: Iterable[Sequence[str]], channels: Sequence[str]) -> bool:
    """True for a tombstone that the request names, or that an interrupted removal left unfinished."""
    if row["applied_at"] is None or row["channel"] in channels:
        return True
    return any(row["video_id"] in spellings or row["url"] in spellings for spellings in asked)


def _in_sources(engine: "DuckDBPyConnection", spellings: Sequence[str]) -> bool:
    query = "SELECT 1 FROM sources WHERE list_contains(?, uri) UNION ALL SELECT 1 FROM failures WHERE list_contains(?, entity)"
    return engine.execute(query, [list(spellings), list(spellings)]).fetchone() is not None


def _target(engine: "DuckDBPyConnection", lake: Lake, videos: list[dict[str, Any]], named: Iterable[str]) -> Target:
    _make(engine, "gone", "video_id", (video["video_id"] for video in videos if video["video_id"]))
    mine = {value for video in videos for name in ("uri", "url", "audio_uri", "subtitle_uri") if (value := video.get(name))} | set(named)
    mine |= {row[0] for row in engine.execute("SELECT DISTINCT uri FROM sources WHERE video_id IN (FROM gone)").fetchall()}
    others = """
        SELECT unnest([uri, source.url, audio_uri, subtitle_uri]) FROM videos WHERE video_id NOT IN (FROM gone)
        UNION ALL SELECT uri FROM sources WHERE video_id NOT IN (FROM gone)"""
    mine -= {row[0] for row in engine.execute(others).fetchall()}
    return Target(tuple(videos), frozenset(_clip_ids(engine)), frozenset(mine), frozenset(_endings(engine)))


def _endings(engine: "DuckDBPyConnection") -> Iterator[str]:
    """Ids in `gone` with which the id of another video ends."""
    for (length,) in engine.execute("SELECT DISTINCT length(video_id) FROM gone").fetchall():
        query = "SELECT DISTINCT right(video_id, ?) FROM videos WHERE length(video_id) > ? AND right(video_id, ?) IN (FROM gone)"
        yield from (row[0] for row in engine.execute(query, [length] * 3).fetchall())


def _clip_ids(engine: "DuckDBPyConnection") -> Iterator[str]:
    """Clips of the videos in `gone`, by any table that knows of one."""
    for name, table in TABLES.items():
        if "clip_id" in table.schema.names:
            own = "video_id IN (FROM gone) OR " if "video_id" in table.schema.names else ""
            query = f"SELECT DISTINCT clip_id FROM {name} WHERE {own} regexp_replace(clip_id, '{CLIP_SPAN}$', '') IN (FROM gone)"
            yield from (row[0] for row in engine.execute(query).fetchall() if row[0])


def _tombstones(
    videos: Iterable[dict[str, Any]], target: Target, request: Request, unheard: Iterable[str], removals: Iterable[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Rows of `removals` that are not there yet: one a video, one a channel, one for each word that names nothing here."""
    rows = [{"video_id": video["video_id"], "url": video.get("url"), "sha256": video["sha256"]} for video in videos]
    rows = [row | {"url": row["url"] if row["url"] in target.addresses else None} for row in rows]
    rows += [{"channel": channel} for channel in request.channels]
    rows += [
        {"url": without_credentials(word)} if is_http(word) or is_store(word) else {"video_id": word} if is_safe_id(word) else {"url": storage.address(word)}
        for word in unheard
    ]
    empty = dict.fromkeys(("video_id", "channel", "url", "sha256"))
    there = {tuple(row[name] for name in empty) for row in removals}
    new = [empty | row for row in rows]
    return [row | {"reason": request.reason} for row in new if tuple(row[name] for name in empty) not in there and any(row.values())]


def _make(engine: "DuckDBPyConnection", table: str, column: str, values: Iterable[str]) -> None:
    """A temporary table of one column of texts."""
    import pyarrow as pa

    engine.from_arrow(pa.table({column: pa.array(sorted(set(values)), pa.string())})).create(table)


def _is_telling(name: str) -> bool:
    """False for ids that are words of other texts too: those are looked for in columns of ids, in ids of clips and in names of files only."""
    return len(name) >= SHORTEST_TOLD and (re.search(r"[0-9_-]|[a-z].*[A-Z]", name) is not None)


def _in_groups(form: str, words: list[str]) -> list[str]:
    """Expressions of the form for all words, some hundred at a time."""
    return [form.replace("{}", "|".join(words[first : first + WORDS_AT_ONCE])) for first in range(0, len(words), WORDS_AT_ONCE)]


def _spellings(address: str) -> set[str]:
    """An address as it may stand in texts: as it is, inside JSON, and as a URI with escapes."""
    return {address, json.dumps(address)[1:-1], json.dumps(address, ensure_ascii=False)[1:-1], quote(address, safe="/:?=&")}
