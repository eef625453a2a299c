"""TalkingHead-1KH's lists: `{set}_video_ids.txt` and `{set}_video_tubes.txt` (talkvid.md §10)."""

import math
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from schemas.errors import UsageError
from schemas.ids import is_youtube_id
from udfs.sources.address import youtube_url
from udfs.sources.listing import Folders, file_source, storable
from udfs.sources.source import Problem, Source, Tube

CHUNK_S = 60.0
"""The lists count frames from the start of pieces of one minute."""

LIST_NAME = re.compile(r"(?P<set>.*)_video_(ids|tubes)\.txt")
_TUBE_NAME = re.compile(r"(?P<video>[A-Za-z0-9_-]{11})_(?P<chunk>\d{4,})")
_WHOLE_FOLDERS = ("raw_videos", "{set}/raw_videos", "")
_CHUNK_FOLDERS = ("1min_clips", "{set}/1min_clips")


@dataclass(frozen=True)
class Line:
    """A line of a tube list: the piece of a minute it lies in, and the tube with an offset of 0 in that piece."""

    video: str
    chunk: int
    tube: Tube


def list_sources(path: str, download: bool) -> list[Source]:
    """Sources of a folder with such lists, or of one list and its other half beside it.

    A whole video is looked for in `raw_videos`, `{set}/raw_videos` and beside the lists, its minutes (`{id}_{chunk}.mp4`) in
    `1min_clips`; without either it is to be downloaded, or absent. Tubes count from the chunk's start: chunk index x 60 s.
    Raises `UsageError` when there is no such list.
    """
    folder = os.path.abspath(path if os.path.isdir(path) else os.path.dirname(os.path.abspath(path)))
    names = sorted(os.listdir(folder)) if os.path.isdir(path) else [os.path.basename(path)]
    sets = list(dict.fromkeys(match["set"] for match in map(LIST_NAME.fullmatch, names) if match))
    if not sets:
        raise UsageError(f"{path} holds no TalkingHead-1KH list: those are called SET_video_ids.txt and SET_video_tubes.txt")
    return [source for name in sets for source in _of_set(folder, name, download)]


def _of_set(folder: str, name: str, download: bool) -> Iterator[Source]:
    bad: list[Source] = []
    lines: dict[str, list[Line]] = {}
    for number, text, list_path in _lines(folder, f"{name}_video_ids.txt"):
        if is_youtube_id(text):
            lines.setdefault(text, [])
        else:
            bad.append(_bad(list_path, number, "is no YouTube id"))
    for number, text, list_path in _lines(folder, f"{name}_video_tubes.txt"):
        line = parse_tube(text)
        if line is None:
            bad.append(_bad(list_path, number, "is no tube: name, H, W, S, E, L, T, R, B"))
        else:
            lines.setdefault(line.video, []).append(line)
    files = _Files(folder, name)
    for video, tubes in lines.items():
        yield from _of_video(video, tubes, files, download)
    yield from bad


def parse_tube(text: str) -> Line | None:
    """A line `video_name, H, W, S, E, L, T, R, B`; None where it is none, or its box or frames are empty."""
    cells = [cell.strip() for cell in text.split(",")]
    named = _TUBE_NAME.fullmatch(cells[0])
    if named is None or len(cells) != 9:
        return None
    try:
        numbers = [float(cell) for cell in cells[1:]]
    except ValueError:
        return None
    if not all(math.isfinite(number) and number >= 0 for number in numbers):
        return None
    height, width, first, last, left, top, right, bottom = numbers
    if height < 1 or width < 1 or last < first or right <= left or bottom <= top:
        return None
    tube = Tube(0.0, int(first), int(last), int(height), int(width), left, top, right, bottom)
    return Line(named["video"], int(named["chunk"]), tube)


def _of_video(video: str, lines: list[Line], files: "_Files", download: bool) -> Iterator[Source]:
    """The whole video where it is there or will be, else its minutes."""
    url = youtube_url(video)
    provenance = {"platform": "youtube", "url": url}
    whole = files.whole(video)
    chunks = {line.chunk: path for line in lines if (path := files.chunk(video, line.chunk))} if whole is None and not download else {}
    left = lines
    for chunk, path in sorted(chunks.items()):
        left = [line for line in left if line.chunk != chunk]
        tubes = tuple(line.tube for line in lines if line.chunk == chunk)
        yield replace(files.source(path), provenance=provenance, tubes=tubes)
    if left or not chunks:
        tubes = tuple(replace(line.tube, offset_s=line.chunk * CHUNK_S) for line in left)
        found = files.source(whole) if whole else Source(url, is_download=True)
        yield replace(found, video_id=video, provenance=provenance, tubes=tubes)


class _Files:
    """Videos that the original scripts left beside a set's lists, by stem."""

    def __init__(self, folder: str, name: str) -> None:
        self._folders = Folders()
        self._whole = self._stems(folder, name, _WHOLE_FOLDERS)
        self._chunks = self._stems(folder, name, _CHUNK_FOLDERS)

    @staticmethod
    def _stems(folder: str, name: str, below: Iterable[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for part in below:
            place = os.path.join(folder, part.format(set=name))
            for entry in sorted(os.listdir(place)) if os.path.isdir(place) else []:
                stem, suffix = os.path.splitext(entry)
                if suffix.lower() in (".mp4", ".mkv", ".webm", ".mov", ".m4v"):
                    found.setdefault(stem, os.path.join(place, entry))
        return found

    def whole(self, video: str) -> str | None:
        """Path of a whole video; None where there is none."""
        return self._whole.get(video)

    def chunk(self, video: str, chunk: int) -> str | None:
        """Path of a cut-out piece of a video, by its number; None where there is none."""
        return self._chunks.get(f"{video}_{chunk:04d}")

    def source(self, path: str) -> Source:
        """The file at `path` as a source."""
        return file_source(path, self._folders)


def _lines(folder: str, name: str) -> Iterator[tuple[int, str, str]]:
    """Numbered lines that are not blank, with the list's path; none when the list is not there."""
    path = os.path.join(folder, name)
    if not os.path.isfile(path):
        return
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, line.strip(), path


def _bad(path: str, number: int, what: str) -> Source:
    status = os.stat(path)
    return Source(storable(f"{path}#line={number}"), status.st_size, status.st_mtime_ns, problem=Problem("not_media", f"line {number} {what}"))
