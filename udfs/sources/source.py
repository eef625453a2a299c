"""A source: one address that may hold a video, with all that was said about it. Nothing here opens the video."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

Labels = Mapping[str, str]


class Problem(NamedTuple):
    """Why a source cannot be tried at all: a code of `schemas.codes` and one sentence."""

    code: str
    detail: str


@dataclass(frozen=True)
class Span:
    """A span [start_s, end_s) of the video that a manifest names, in seconds, with the manifest's caption."""

    start_s: float
    end_s: float
    caption: str | None = None


@dataclass(frozen=True)
class Tube:
    """A TalkingHead-1KH tube: frames `first_frame` to `last_frame` (inclusive) after `offset_s`, in a box of a height_px x width_px picture."""

    offset_s: float
    first_frame: int
    last_frame: int
    height_px: int
    width_px: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Source:
    """One address. `bytes` and `mtime_ns` are None when nothing is there yet, or not any more.

    `video_id` is the platform's id, already known to be safe. `provenance` has the names of `videos.source`, `labels` those of
    `videos.labels`. `spans` and `tubes` are None where no manifest spoke. `audio_is_named`: a manifest gave `audio_uri`, so it counts
    even where the video has sound of its own. `fetch_uri` is the address with its credentials, for the fetch of this run only. `problem` says
    why it cannot be tried at all, `remarks` what was left out of it.
    """

    uri: str
    bytes: int | None = None
    mtime_ns: int | None = None
    is_download: bool = False
    video_id: str | None = None
    provenance: Labels = field(default_factory=dict)
    labels: Labels = field(default_factory=dict)
    spans: tuple[Span, ...] | None = None
    tubes: tuple[Tube, ...] | None = None
    subtitle_uri: str | None = None
    audio_uri: str | None = None
    audio_is_named: bool = False
    fetch_uri: str | None = field(default=None, repr=False)
    problem: Problem | None = None
    remarks: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, int | None, int | None]:
        """What makes it the same thing on a rerun."""
        return (self.uri, self.bytes, self.mtime_ns)

    @property
    def is_absent(self) -> bool:
        """True for a file that is named but not there."""
        return self.bytes is None and not self.is_download

    @property
    def fingerprint(self) -> str:
        """What was tried: `{bytes}-{mtime_ns}` of a file, `absent`, `download`, or `address-only` where downloads were not allowed."""
        if self.is_download:
            return "download" if self.problem is None else "address-only"
        return "absent" if self.bytes is None else f"{self.bytes}-{self.mtime_ns}"


def merged(sources: Iterable[Source]) -> list[Source]:
    """One source per address, in the order of first mention; later mentions add what the earlier ones lack."""
    by_uri: dict[str, Source] = {}
    for source in sources:
        by_uri[source.uri] = _joined(by_uri[source.uri], source) if source.uri in by_uri else source
    return list(by_uri.values())


def _joined(first: Source, second: Source) -> Source:
    return replace(
        first,
        video_id=first.video_id or second.video_id,
        provenance={**second.provenance, **first.provenance},
        labels={**second.labels, **first.labels},
        spans=_union(first.spans, second.spans),
        tubes=_union(first.tubes, second.tubes),
        subtitle_uri=first.subtitle_uri or second.subtitle_uri,
        audio_uri=(second.audio_uri if second.audio_is_named and not first.audio_is_named else first.audio_uri) or second.audio_uri,
        audio_is_named=first.audio_is_named or second.audio_is_named,
        remarks=tuple(dict.fromkeys(first.remarks + second.remarks)),
    )


def _union(first: tuple[Any, ...] | None, second: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    if first is None or second is None:
        return second if first is None else first
    return tuple(dict.fromkeys(first + second))
