"""Segmentation of a video: shots and speech become clips. Spans only; nothing is cut or encoded.

A worker of `jobs.batches`: rows of references in, one row per video out.
"""

import sys
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas import clips as clips_table
from schemas import segmentations as segmentations_table
from schemas.codes import Rejected
from schemas.errors import TalkvidError
from schemas.ids import clip_id
from udfs import media, weights
from udfs.clip_spans import ClipSpan, spans_of_manifest, spans_of_shots
from udfs.fingerprint import fingerprint
from udfs.presets import Preset
from udfs.registered import Registered
from udfs.shots.find import find_transitions
from udfs.shots.transitions import shots_between
from udfs.speech import Heard, Spans, VoiceDetector, overlap_s, speech_spans
from udfs.subtitles import read_cues, speech_in
from udfs.timeline import timeline

VERSION = 1
"""Raised by hand when the same preset and weights give other clips (law 5)."""
VERSION_WITH_SPEECH = 2
"""The same of presets that measure speech."""

SOUND_PIECE_S = 600.0
"""Sound is decoded in pieces of this length, so that hours of it are never held."""

_OF_JOB = ("preset", "video_id", "fingerprint", "run_id")
CLIP = pa.struct([field for field in clips_table.TABLE.schema if field.name not in _OF_JOB])
"""A clip as the worker knows it; the job adds the rest."""

ROWS = pa.schema(
    [
        ("video_id", pa.string()),
        ("reason", pa.string()),
        ("shots", pa.int32()),
        ("transitions", segmentations_table.TABLE.schema.field("transitions").type),
        ("clips", pa.list_(CLIP)),
        ("code", pa.string()),
        ("detail", pa.string()),
    ]
)
"""Result rows: what became of a video, or the `code` and `detail` of its failure."""

Row = dict[str, Any]


@dataclass(frozen=True)
class SegmentPlan:
    """What the workers of one run do. `device` is `cpu` or `cuda`."""

    preset: Preset
    device: str = "cpu"


def needed_weights(preset: Preset) -> tuple[str, ...]:
    """Weights that a preset's networks take."""
    return (("transnetv2",) if preset.detector == "transnet" else ()) + (("silero-vad",) if preset.speech else ())


def segment_fingerprint(preset: Preset) -> str:
    """Fingerprint of what a preset makes. Raises `MissingError` when weights are not there."""
    return fingerprint("segment", VERSION_WITH_SPEECH if preset.speech else VERSION, preset, {name: weights.sha256(name) for name in needed_weights(preset)})


def segment_items(plan: SegmentPlan, items: list[Row]) -> Iterator[tuple[int, list[Row]]]:
    """Segment videos: `items` have `video_id`, `uri`, `has_audio`, `audio_uri`, `subtitle_uri` and `spans` as in table `videos`,
    and `registered`, which file `uri` shall be."""
    for index, item in enumerate(items):
        try:
            yield index, [segment(plan, item)]
        except Rejected as rejection:
            yield index, [failed(item, rejection)]
        except TalkvidError:
            raise
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            yield index, [failed(item, Rejected("internal", f"{type(error).__name__}: {error}"))]


def failed(item: Row, rejection: Rejected) -> Row:
    """The row of a video that could not be segmented."""
    return {"video_id": item["video_id"], "transitions": [], "clips": [], "code": rejection.code, "detail": rejection.detail}


def died(item: Row) -> list[Row]:
    """The row of a video that killed its Python process twice."""
    return [failed(item, Rejected("worker_died", "the process that segmented this video died, and again when it had the video alone"))]


def segment(plan: SegmentPlan, item: Row) -> Row:
    """The row of one video. Raises `Rejected` when it, its sound or its subtitles cannot be read."""
    preset = plan.preset
    with ExitStack() as files:
        video = _Video(files, item)
        borders_s = video.borders_s
        if preset.detector is None:
            transitions, shots = [], None
            spans, reason = spans_of_manifest(item["spans"], borders_s, item["video_id"])
        else:
            transitions = find_transitions(video.path, preset.detector, preset.threshold or 0.0, plan.device)
            shots = shots_between(transitions, len(borders_s) - 1)
            spans, reason = spans_of_shots(preset, shots, borders_s, video.cues, video.heard if preset.speech else lambda: None)
        speech = video.speech() if preset.speech and spans else None
    return {
        "video_id": item["video_id"],
        "reason": None if spans else reason,
        "shots": None if shots is None else len(shots),
        "transitions": [
            {"start_s": float(borders_s[found.start_frame]), "end_s": float(borders_s[min(found.end_frame, len(borders_s) - 1)]), "kind": found.kind}
            for found in transitions
        ],
        "clips": [_clip(item["video_id"], span, speech) for span in spans],
    }


def _clip(video_id: str, span: ClipSpan, speech: Spans | None) -> Row:
    """A clip as in `CLIP`; `speech` None when it was not measured."""
    length_s = span.end_s - span.start_s
    speech_s = None if speech is None else overlap_s(speech, span.start_s, span.end_s)
    return {
        "clip_id": clip_id(video_id, span.start_s, span.end_s),
        **asdict(span),
        "speech_s": speech_s,
        "speech_ratio": None if speech_s is None else min(1.0, speech_s / length_s),
    }


class _Video:
    """A video at hand, with its sound and subtitles. `borders_s[i]` is when frame i begins, the last entry when the last frame ends."""

    def __init__(self, files: ExitStack, item: Row) -> None:
        self.path: Path = files.enter_context(media.staged(item["uri"], Registered.read(item.get("registered"))))
        self._sound = self.path if item["has_audio"] else None
        if item["audio_uri"]:
            self._sound = files.enter_context(_beside(item["audio_uri"], "sound"))
        self.cues = read_cues(files.enter_context(_beside(item["subtitle_uri"], "subtitle"))) if item["subtitle_uri"] else None
        line = timeline(self.path)
        self.borders_s: NDArray[np.float64] = np.append(line.times_s, line.duration_s)
        self._heard: Heard | None = None

    def heard(self) -> Heard | None:
        """What is heard in it, listened to once; None without sound."""
        if self._heard is None and self._sound is not None:
            self._heard = _voice_detector().listen(_pieces(self._sound, float(self.borders_s[-1])))
        return self._heard

    def speech(self) -> Spans:
        """When somebody speaks: as the subtitles say where they have a cue, else as it is heard; never without either."""
        if self.cues:
            return speech_in(self.cues)
        heard = self.heard()
        return [] if heard is None else speech_spans(heard.probabilities)


@contextmanager
def _beside(uri: str, what: str) -> Iterator[Path]:
    """A staged file that belongs to a video. Raises `Rejected` that says which one cannot be had."""
    with ExitStack() as files:
        try:
            path = files.enter_context(media.staged(uri))
        except Rejected as rejection:
            raise Rejected(rejection.code, f"its {what} file: {rejection.detail}") from None
        yield path


def _pieces(sound: Path, length_s: float) -> Iterator[NDArray[np.float32]]:
    """Sound of a file at 16 kHz, piece by piece."""
    start_s = 0.0
    while start_s < length_s:
        end_s = min(start_s + SOUND_PIECE_S, length_s)
        yield media.audio_16k(sound, start_s, end_s)
        start_s = end_s


@lru_cache(maxsize=1)
def _voice_detector() -> VoiceDetector:
    """The voice detector, once per process."""
    return VoiceDetector(weights.path("silero-vad"))
