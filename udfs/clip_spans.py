"""Which spans of a video become clips: by the rules of a preset from its shots, or as a manifest gives them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.ids import clip_id
from udfs import media
from udfs.presets import Preset
from udfs.shots.transitions import Shot
from udfs.speech import Heard
from udfs.splitting import Lengths, split
from udfs.subtitles import Cue, vocal_for_talkvid

APART_S = 0.001
"""Manifest spans with the same times and other boxes get ids apart by ending so much earlier each: no frame begins there."""

Box = dict[str, int]
Hears = Callable[[], Heard | None]


@dataclass(frozen=True, slots=True)
class ClipSpan:
    """Frames [start_frame, end_frame) of a video: exactly those with start_s <= time < end_s. `crop` null: the whole picture."""

    start_s: float
    end_s: float
    start_frame: int
    end_frame: int
    shot_index: int
    crop: Box | None = None
    caption: str | None = None


def spans_of_shots(
    preset: Preset, shots: Sequence[Shot], borders_s: NDArray[np.float64], cues: Sequence[Cue] | None, hear: Hears
) -> tuple[list[ClipSpan], str]:
    """Clips of shots, and why there are none if there are none.

    `borders_s[i]` is when frame i begins, its last entry when the last frame ends. `hear` is called when a shot must be split.
    """
    lengths = Lengths(preset.min_s, preset.max_s)
    spans: list[ClipSpan] = []
    for shot in shots:
        trimmed = _trimmed(preset, shot, borders_s)
        if trimmed is None:
            continue
        too_long = lengths.too_long(borders_s[trimmed[1]] - borders_s[trimmed[0]])
        for first, after in split(borders_s, *trimmed, lengths, hear() if too_long else None):
            spans.append(ClipSpan(float(borders_s[first]), float(borders_s[after]), first, after, shot.index))
    if not spans:
        return [], f"no shot lasts over {preset.over_s:g} s" if preset.over_s is not None else f"no shot lasts {preset.min_s:g} s"
    if preset.needs_subtitles_in_clip and cues is not None:
        spans = [span for span in spans if vocal_for_talkvid(cues, span.start_s, span.end_s)]
    return spans, "no clip has subtitles"


def _trimmed(preset: Preset, shot: Shot, borders_s: NDArray[np.float64]) -> tuple[int, int] | None:
    """A shot's frames without the preset's offsets; None when the preset drops it."""
    start_s = borders_s[shot.start_frame] + preset.start_offset_s
    end_s = borders_s[shot.end_frame] - preset.end_offset_s
    if preset.over_s is not None and not float(f"{end_s - start_s:.1f}") > preset.over_s:
        return None
    first, after = media.span(borders_s[:-1], start_s, end_s)
    return (first, after) if first < after else None


def spans_of_manifest(spans: Sequence[dict[str, Any]] | None, borders_s: NDArray[np.float64], video_id: str) -> tuple[list[ClipSpan], str]:
    """The manifest's spans as they are, but for ends beyond the video's; and why there are none if there are none."""
    if not spans:
        return [], "the manifest gives no span of it"
    found: dict[str, ClipSpan] = {}
    for index, span in enumerate(spans):
        start_s, end_s = max(0.0, span["start_s"]), min(span["end_s"], float(borders_s[-1]))
        first, after = media.span(borders_s[:-1], start_s, end_s)
        if first >= after:
            continue
        clip = ClipSpan(start_s, end_s, first, after, index, span.get("crop"), span.get("caption"))
        while (twin := found.get(clip_id(video_id, clip.start_s, clip.end_s))) is not None and twin.crop != clip.crop:
            clip = replace(clip, end_s=clip.end_s - APART_S)
        found.setdefault(clip_id(video_id, clip.start_s, clip.end_s), clip)
    return list(found.values()), "the manifest's spans lie outside the video"
