"""Which files of a folder are videos, and which lie beside one: subtitles, separate sound, notes."""

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from udfs.sources.source import Problem, Source

UNFINISHED = frozenset({".part", ".ytdl", ".tmp", ".temp", ".partial", ".crdownload", ".download", ".aria2"})
SUBTITLES = (".vtt", ".srt")
SOUNDS = (".m4a", ".wav", ".flac", ".mp3", ".aac", ".opus", ".ogg", ".oga")
TEXTS = (".json", ".jsonl", ".ndjson", ".txt", ".csv", ".tsv", ".md", ".yaml", ".yml", ".xml", ".html", ".htm", ".log", ".lst", ".list", ".urls")
DESCRIPTIONS = (".description", ".ass", ".lrc", ".sha256", ".md5", ".py", ".sh")
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
DATA = (".pth", ".pt", ".npy", ".npz", ".safetensors", ".parquet", ".pkl", ".zip", ".tar", ".gz", ".zst")
NOTES = frozenset((*TEXTS, *DESCRIPTIONS, *PICTURES, *DATA))
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
_FIRST_LANGUAGES = ("", "en")


@dataclass(frozen=True)
class Entry:
    """A file as a listing shows it: `bytes` and `mtime_ns` are None where it could not be looked at."""

    address: str
    bytes: int | None = None
    mtime_ns: int | None = None

    @cached_property
    def name(self) -> str:
        """Its name in its folder."""
        return self.address.rpartition("/")[2]

    @cached_property
    def stem(self) -> str:
        """Its name without the last extension."""
        return os.path.splitext(self.name)[0]

    @cached_property
    def suffix(self) -> str:
        """Its last extension, in lower case, with the dot."""
        return os.path.splitext(self.name)[1].lower()


def is_unfinished(entry: Entry) -> bool:
    """True when its name says that it is hidden or not finished."""
    return entry.name.startswith(".") or entry.suffix in UNFINISHED


def may_be_video(name: str) -> bool:
    """True unless the name says that it is hidden, unfinished or a sidecar."""
    suffix = os.path.splitext(name)[1].lower()
    return not name.startswith(".") and suffix not in UNFINISHED and suffix not in NOTES and suffix not in SUBTITLES


def paired(entries: Iterable[Entry], is_video_after_all: Callable[[Entry], bool], only: Entry | None = None) -> list[Source]:
    """The possible videos among the files of one folder (or `only` that one), each with subtitles and sound of the same stem.

    `is_video_after_all` is asked of files whose extension is a sidecar's. Sound beside a video is no source of its own.
    """
    visible = [entry for entry in entries if not is_unfinished(entry) or entry == only]
    sounds = {entry.stem: entry for entry in sorted(visible, key=_sound_rank, reverse=True) if entry.suffix in SOUNDS and entry != only}
    videos = [entry for entry in visible if entry.suffix not in SOUNDS and (may_be_video(entry.name) or is_video_after_all(entry))]
    stems = {entry.stem for entry in videos}
    lone_sounds = [entry for entry in visible if entry.suffix in SOUNDS and (entry.stem not in stems or entry == only)]
    subtitles = _subtitles(visible)
    chosen = sorted(videos + lone_sounds, key=lambda entry: entry.name) if only is None else [only]
    return [_source(entry, sounds.get(entry.stem) if entry.suffix not in SOUNDS else None, subtitles.get(entry.stem)) for entry in chosen]


def _source(entry: Entry, sound: Entry | None, subtitle: Entry | None) -> Source:
    address = entry.address.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if address != entry.address:
        return Source(address, entry.bytes, entry.mtime_ns, problem=Problem("not_media", "the file's name is no valid UTF-8; rename it"))
    return Source(
        entry.address,
        entry.bytes,
        entry.mtime_ns,
        subtitle_uri=subtitle.address if subtitle else None,
        audio_uri=sound.address if sound else None,
    )


def _subtitles(entries: Iterable[Entry]) -> dict[str, Entry]:
    """The subtitle file for each stem: without a language first, then English, then by name; VTT before SRT."""
    found: dict[str, tuple[tuple[int, str, int], Entry]] = {}
    for entry in entries:
        if entry.suffix not in SUBTITLES:
            continue
        stem, _, language = entry.stem.rpartition(".")
        ways = [(entry.stem, "")] + ([(stem, language.lower())] if stem and _LANGUAGE.fullmatch(language) else [])
        for of, spoken in ways:
            place = _FIRST_LANGUAGES.index(spoken) if spoken in _FIRST_LANGUAGES else len(_FIRST_LANGUAGES)
            rank = (place, spoken, SUBTITLES.index(entry.suffix))
            if of not in found or rank < found[of][0]:
                found[of] = (rank, entry)
    return {stem: entry for stem, (_, entry) in found.items()}


def _sound_rank(entry: Entry) -> int:
    return SOUNDS.index(entry.suffix) if entry.suffix in SOUNDS else -1
