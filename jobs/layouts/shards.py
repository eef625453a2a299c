"""The WebDataset layout: numbered tar files with an mp4 and a JSON per clip."""

import io
import re
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.layouts.layout import Exported, Layout, json_bytes
from schemas import storage
from schemas.ids import media_name

_PARTS = ".parts"
_SHARD = re.compile(r"[0-9]{6}\.tar")


@dataclass(frozen=True)
class _Media:
    """Bytes `[offset, offset + size)` of the file at an address."""

    address: str
    offset: int
    size: int


class WebDataset(Layout):
    """`000000.tar`, …: at most `shard_size` clips each, sorted, every shard written whole.

    Clips are cut beside the shards first. A clip stays in its shard; new clips fill the last one and then new ones, so that
    little is rewritten. Without media nothing is worth keeping, and all shards are made anew.
    """

    name = "webdataset"
    cut_folder = _PARTS
    scratch = _PARTS

    def present(self, rows: Sequence[Exported]) -> set[str]:
        """As `Layout.present`, also of clips that are members of a tar."""
        if not self.media:
            return {row["clip_id"] for row in rows}
        held = {file: self._held(file) for file in {row["file"] for row in rows if row["file"]} if file.endswith(".tar")}

        def size(row: Exported) -> int:
            shard = held.get(row["file"])
            if shard is None:
                return self.size(row["file"]) if row["file"] else -1
            member = shard.get(_name(row["clip_id"], True))
            return member.size if member else -1

        return {row["clip_id"] for row in rows if size(row) == row["bytes"]}

    def published(self) -> bool:
        """As `Layout.published`: true when there is a tar."""
        return bool(self._shards())

    def drop(self, rows: Iterable[Exported]) -> None:
        """Shards stay: `publish` rewrites them without these clips."""
        super().drop(row for row in rows if not (row["file"] or "").endswith(".tar"))

    def publish(self, records: Iterable[dict[str, Any]], files: dict[str, str | None]) -> dict[str, tuple[str | None, int | None]]:
        """As `Layout.publish`: clips go into tars of `shard_size`; a tar whose members are the same stays as it is."""
        shards = self._assigned(files)
        shard_of = {clip_id: shard for shard, clips in shards.items() for clip_id in clips}
        lines = {record["clip_id"]: json_bytes(record | {"file": shard_of[record["clip_id"]]}) for record in records}
        sources = self._sources(files) if self.media else {}
        for shard, clips in shards.items():
            media = {_name(clip_id, True): sources[clip_id] for clip_id in clips if self.media}
            texts = {_name(clip_id, False): lines[clip_id] for clip_id in clips}
            members = dict(sorted((media | texts).items()))
            if not self._is(shard, members):
                self._write(shard, members)
        for stale in set(self._shards()) - set(shards):
            storage.delete(self.address(stale))
        if not self.media:
            return dict.fromkeys(files, (None, None))
        return {clip_id: (shard, sources[clip_id].size) for clip_id, shard in shard_of.items()}

    def _assigned(self, files: dict[str, str | None]) -> dict[str, list[str]]:
        """Clips of each shard, sorted."""
        shards: dict[str, list[str]] = {}
        new = []
        for clip_id, file in sorted(files.items()):
            if file and file.endswith(".tar"):
                shards.setdefault(file, []).append(clip_id)
            else:
                new.append(clip_id)
        number = int(max(shards)[:6]) if shards else 0
        while new:
            room = shards.setdefault(f"{number:06d}.tar", [])
            free = max(0, self.shard_size - len(room))
            room += new[:free]
            del new[:free]
            number += 1
        return {shard: sorted(clips) for shard, clips in sorted(shards.items())}

    def _sources(self, files: dict[str, str | None]) -> dict[str, _Media]:
        """Where the media of each clip lie now: in their shard, or freshly cut."""
        held = {file: self._held(file) for file in set(files.values()) if file and file.endswith(".tar")}
        found = {}
        for clip_id, file in files.items():
            found[clip_id] = held[file][_name(clip_id, True)] if file in held else _Media(self.address(file or ""), 0, self.size(file or ""))
        return found

    def _shards(self) -> list[str]:
        names = (file.uri.removeprefix(f"{self.out}/") for file in storage.listed(str(self.out)))
        return [name for name in names if _SHARD.fullmatch(name)]

    def _held(self, shard: str) -> dict[str, _Media]:
        """Members of a shard by name; none when it is not there or is no tar."""
        address = self.address(shard)
        try:
            with storage.open_file(address) as file, tarfile.open(fileobj=file, mode="r:") as tar:
                return {member.name: _Media(address, member.offset_data, member.size) for member in tar}
        except (FileNotFoundError, tarfile.ReadError):
            return {}

    def _is(self, shard: str, members: Mapping[str, bytes | _Media]) -> bool:
        """True when the shard holds just these members in this order; media that lie in it are taken to be what they were."""
        held = self._held(shard)
        if list(held) != list(members):
            return False
        return all(held[name] == content if isinstance(content, _Media) else _read(held[name]) == content for name, content in members.items())

    def _write(self, shard: str, members: Mapping[str, bytes | _Media]) -> None:
        with self.writing(shard) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, content in members.items():
                entry = tarfile.TarInfo(name)
                if isinstance(content, _Media):
                    entry.size = content.size
                    with storage.open_file(content.address) as source:
                        source.seek(content.offset)
                        tar.addfile(entry, source)
                else:
                    entry.size = len(content)
                    tar.addfile(entry, io.BytesIO(content))


def _name(clip_id: str, media: bool) -> str:
    return media_name(clip_id, "mp4" if media else "json")


def _read(media: _Media) -> bytes:
    with storage.open_file(media.address) as file:
        file.seek(media.offset)
        return file.read(media.size)
