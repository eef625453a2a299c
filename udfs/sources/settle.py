"""Decides, one described source after the other, which are videos of their own and under which id."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.ids import content_video_id
from udfs.sources.known import Tombstones
from udfs.sources.source import Source

_CONTENT_ID = re.compile(r"h[0-9a-f]{16}([0-9a-f]{16})?")


@dataclass(frozen=True)
class Settled:
    """What became of a source: registered, duplicate, removed or failed; the video it is; whether that video's row is there already."""

    outcome: str
    video_id: str | None = None
    is_written: bool = False


class Settlement:
    """The rule: same bytes are one video; the first source in order has it; a platform's id goes to the first bytes that claim it.

    `videos` are rows with video_id and sha256; `registrar` names the source that each was registered from. A video without
    one was left by a killed run: the next source with its bytes takes it.
    """

    def __init__(self, videos: Iterable[Mapping[str, Any]], registrar: Mapping[str, str], tombstones: Tombstones) -> None:
        self._id_of_bytes = {row["sha256"]: row["video_id"] for row in videos}
        self._taken = set(self._id_of_bytes.values())
        self._registrar = dict(registrar)
        self._tombstones = tombstones

    def settle(self, source: Source, row: Mapping[str, Any]) -> Settled:
        """Decide for a source and what a worker found of it (`udfs.sources.register.ROWS`); call in the order of sources."""
        if row["code"] is not None:
            return Settled("failed")
        if row["removed"] or self._tombstones.cover(row):
            return Settled("removed")
        sha256 = row["sha256"]
        there = self._id_of_bytes.get(sha256)
        if there is not None:
            is_own = self._registrar.setdefault(there, source.uri) == source.uri
            return Settled("registered" if is_own else "duplicate", there, is_written=True)
        video_id = self._free_id(source.video_id, sha256)
        self._id_of_bytes[sha256] = video_id
        self._taken.add(video_id)
        self._registrar[video_id] = source.uri
        return Settled("registered", video_id)

    def _free_id(self, claimed: str | None, sha256: str) -> str:
        """The platform's id if no other bytes have it and it cannot be taken for a content hash; else the content's."""
        if claimed and claimed not in self._taken and not _CONTENT_ID.fullmatch(claimed):
            return claimed
        content = content_video_id(sha256)
        return content if content not in self._taken else "h" + sha256[:32]
