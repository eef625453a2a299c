"""Subtitles, WebVTT and SRT: when is something said? Tolerant: files come from the web."""

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from schemas.codes import Rejected
from udfs.speech import Spans, union

MAX_BYTES = 32 << 20

_TIME = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,3}))?"
_TIMING = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?")
_NUMBER = re.compile(r"\s*\d+\s*")
_TAG = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")
_ASIDE = re.compile(r"\[[^\[\]]*\]|\([^()]*\)|【[^【】]*】|（[^（）]*）|［[^［］]*］|〔[^〔〕]*〕|\*[^*]*\*|[♪♫][^♪♫]*[♪♫]?")
_CUE_SETTING = "align:start position:0%"
_TALKVID_SILENT = "[Music]"


@dataclass(frozen=True, slots=True)
class Cue:
    """What is shown from `start_s` to `end_s`; `text` as in the file, lines joined by a line feed."""

    start_s: float
    end_s: float
    text: str

    @property
    def is_speech(self) -> bool:
        """Something is said: letters are left without markup and asides.

        Asides are whatever stands in brackets or between notes: [Music], (Applaus), 【音楽】, ♪ la la ♪, in any language.
        """
        return any(character.isalnum() for character in _ASIDE.sub(" ", plain(self.text)))

    @property
    def is_vocal_for_talkvid(self) -> bool:
        """The rule of the scripts replaced (talkvid.md §1.4): any text but exactly `[Music]`."""
        text = plain(self.text).replace(_CUE_SETTING, "").strip()
        return text not in ("", _TALKVID_SILENT)


def plain(text: str) -> str:
    """Text without markup."""
    return html.unescape(_TAG.sub("", text)).replace("\xa0", " ").strip()


def read_cues(path: str | Path) -> list[Cue]:
    """Cues of a WebVTT or SRT file. Raises `Rejected("too_large")` for a file of absurd size."""
    data = Path(path).read_bytes() if Path(path).stat().st_size <= MAX_BYTES else None
    if data is None:
        raise Rejected("too_large", f"its subtitle file is larger than {MAX_BYTES} bytes")
    return parse_cues(_decoded(data))


def parse_cues(text: str) -> list[Cue]:
    """Cues in the order of the file: decimals after a point or a comma, hours left out or not, cue numbers and settings or not.

    What is not a cue is skipped; a cue whose end is not after its start is left out.
    """
    cues: list[Cue] = []
    lines: list[str] = []
    times: tuple[float, float] | None = None

    def close() -> None:
        if times is not None and times[1] > times[0]:
            cues.append(Cue(*times, "\n".join(lines).strip()))

    for line in text.splitlines():
        timing = _TIMING.fullmatch(line)
        if timing:
            if lines and _NUMBER.fullmatch(lines[-1]):
                lines.pop()
            close()
            times, lines = (_seconds(timing.groups()[:4]), _seconds(timing.groups()[4:])), []
        elif times is not None and line.strip():
            lines.append(line)
        else:
            close()
            times, lines = None, []
    close()
    return cues


def speech_in(cues: Iterable[Cue]) -> Spans:
    """When something is said."""
    return union((cue.start_s, cue.end_s) for cue in cues if cue.is_speech)


def vocal_for_talkvid(cues: Iterable[Cue], start_s: float, end_s: float) -> bool:
    """Whether a clip passes the vocal check of talkvid.md §1.4: a cue with text overlaps [start_s, end_s], ends included."""
    return any(cue.start_s <= end_s and cue.end_s >= start_s and cue.is_vocal_for_talkvid for cue in cues)


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = parts
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0) + (int(fraction.ljust(3, "0")) / 1000 if fraction else 0.0)


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")
