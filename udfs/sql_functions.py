"""Scorers and shot detection as functions of rows, for SQL: what `udfs.spark` wraps. Spark-free.

A call names a span of a file, not a clip of the lake: it sees the file that lies there now, and the whole picture, also of a clip whose row has a `crop`.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa

from schemas.codes import Rejected
from schemas.scores import STORED
from udfs import media
from udfs.device import claim, resolve
from udfs.presets import PRESETS
from udfs.registry import needed_by, scorer_fingerprint
from udfs.scorer import Clip, Device, Scorer
from udfs.scoring import Asked, score_clips, set_up
from udfs.shots.find import find_transitions
from udfs.shots.transitions import shots_between
from udfs.timeline import typical_gap_s

Call = tuple[str, str, float, float]
"""clip_id, uri, start_s, end_s."""


@lru_cache(maxsize=8)
def _loaded(name: str, device: str) -> tuple[Scorer, str, Device]:
    """A scorer with its networks and its fingerprint, once per process."""
    place = claim(resolve(device))
    scorer = set_up([name], place)[0]
    return scorer, scorer_fingerprint(scorer), scorer.runs_on(place)


def score_calls(name: str, calls: Sequence[Call], device: str = "auto") -> list[dict[str, Any]]:
    """The values of scorer `name` for each call, with fingerprint, device and dtype; all None where a clip cannot be scored.

    Scorers whose values it takes are measured with it, by the same decode, and not answered.
    """
    names = (*sorted(needed_by(name)), name)
    scorers = [_loaded(each, device)[0] for each in names]
    _, fingerprint, ran_on = _loaded(name, device)
    nothing = dict.fromkeys([field.name for field in STORED[name]] + ["fingerprint", "device", "dtype"])
    rows = [nothing] * len(calls)
    clips = {row: clip for row, call in enumerate(calls) if (clip := _clip(call)) is not None}
    asked = [Asked(clip, names) for clip in clips.values()]
    for row, (_, outcomes) in zip(clips, score_clips(asked, scorers, clips_per_batch=ran_on.clips_at_once)):
        outcome = outcomes[name]
        if not isinstance(outcome, Rejected):
            rows[row] = nothing | outcome | {"fingerprint": fingerprint, "device": ran_on.kind, "dtype": ran_on.dtype}
    return rows


def _clip(call: Call) -> Clip | None:
    """The clip of a call, its picture size and rate read from the file; None when any argument is null or the file is unusable."""
    if any(value is None or value != value for value in call):
        return None
    clip_id, uri, start_s, end_s = call
    try:
        with media.staged(uri) as path:
            found = media.probe(path)
    except Rejected:
        return None
    return Clip(str(clip_id), str(clip_id), str(uri), float(start_s), float(end_s), found.width, found.height, found.fps, found.has_audio)


SHOT = pa.struct([("shot_index", pa.int32()), ("start_s", pa.float64()), ("end_s", pa.float64()), ("start_frame", pa.int64()), ("end_frame", pa.int64())])


def shots_of(uri: str | None) -> list[dict[str, Any]] | None:
    """The shots of a video, as the preset `default` finds them; None for a file that cannot be used."""
    if uri is None:
        return None
    preset = PRESETS["default"]
    try:
        with media.staged(uri) as path:
            times_s = media.frame_times(path)
            found = shots_between(find_transitions(path, preset.detector, preset.threshold), len(times_s))
    except Rejected:
        return None
    ends_s = [*times_s.tolist(), float(times_s[-1]) + typical_gap_s(times_s)]
    return [
        {"shot_index": shot.index, "start_s": ends_s[shot.start_frame], "end_s": ends_s[shot.end_frame]}
        | {"start_frame": shot.start_frame, "end_frame": shot.end_frame}
        for shot in found
    ]
