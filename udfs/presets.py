"""Ways to make clips of a video, by name."""

from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from schemas.errors import UsageError
from udfs.shots.content import THRESHOLDS
from udfs.shots.transnet_shots import THRESHOLD as TRANSNET_THRESHOLD

DETECTORS = ("transnet", "content", "adaptive", "histogram")


@dataclass(frozen=True)
class Preset:
    """How clips are made. It is part of the fingerprint: two videos cut by equal presets are cut alike.

    `detector`: what finds shots; None takes the manifest's spans as they are. `threshold` is the detector's own (see
    `udfs.shots`). A shot loses `start_offset_s` at its start and `end_offset_s` at its end, is dropped unless its length rounded
    to 0.1 s is over `over_s`, split over `max_s`, and a clip is dropped under `min_s` (0: no limit). `speech`: whether speech
    is measured. `needs_subtitles_in_clip`: of a video with a subtitle file only clips with a cue are kept.
    """

    name: str
    detector: str | None
    threshold: float | None
    min_s: float = 0.0
    max_s: float = 0.0
    start_offset_s: float = 0.0
    end_offset_s: float = 0.0
    over_s: float | None = None
    needs_subtitles_in_clip: bool = False
    speech: bool = True


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("default", "transnet", TRANSNET_THRESHOLD, min_s=3.0, max_s=30.0),
        # talkvid.md §1.2: the scene's start + 0.4 s, then both ends 0.1 s earlier; §1.3: the length before that second shift, over 5.0 s.
        Preset("talkvid", "histogram", 0.085, start_offset_s=0.3, end_offset_s=0.1, over_s=5.0, needs_subtitles_in_clip=True),
        Preset("manifest", None, None),
    )
}


def make_preset(
    name: str,
    *,
    detector: str | None = None,
    threshold: float | None = None,
    min_s: float | None = None,
    max_s: float | None = None,
    speech: bool = True,
) -> Preset:
    """A preset with a user's changes; None leaves what it has. Raises `UsageError` for changes that mean nothing."""
    preset = PRESETS[name]
    if preset.detector is None and any(value is not None for value in (detector, threshold, min_s, max_s)):
        raise UsageError(f"preset {name} takes the manifest's spans as they are: leave out --detector, --threshold, --min-s and --max-s")
    changes: dict[str, Any] = {"speech": speech}
    if detector is not None and detector != preset.detector:
        changes |= {"detector": detector, "threshold": TRANSNET_THRESHOLD if detector == "transnet" else THRESHOLDS[detector]}
    given = {"threshold": threshold, "min_s": min_s, "max_s": max_s}
    preset = replace(preset, **changes | {key: value for key, value in given.items() if value is not None})
    if not all(isfinite(value) for value in (preset.min_s, preset.max_s, preset.threshold or 0.0)):
        raise UsageError("--threshold, --min-s and --max-s are finite numbers")
    if preset.max_s and preset.min_s > preset.max_s:
        raise UsageError(f"--min-s {preset.min_s:g} is more than --max-s {preset.max_s:g}")
    if preset.threshold is not None and preset.threshold <= 0:
        raise UsageError(f"--threshold must be over 0, not {preset.threshold:g}")
    if preset.detector == "transnet" and preset.threshold >= 1:
        raise UsageError(f"--threshold of transnet is a probability under 1, not {preset.threshold:g}")
    if preset.min_s < 0 or preset.max_s < 0:
        raise UsageError("--min-s and --max-s must not be negative; 0 means no limit")
    return preset
