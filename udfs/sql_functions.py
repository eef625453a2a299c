"""Scorers as functions of rows, for SQL: what `udfs.spark` wraps. Spark-free."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from schemas.codes import Rejected
from schemas.scores import STORED
from udfs import media
from udfs.device import claim, resolve
from udfs.scorer import Clip, Device, Scorer
from udfs.scoring import Asked, score_clips, set_up

Call = tuple[str, str, float, float]
"""clip_id, uri, start_s, end_s."""


@lru_cache(maxsize=8)
def _loaded(name: str) -> tuple[Scorer, str, Device]:
    """A scorer with its networks and its fingerprint, once per process."""
    from udfs.registry import scorer_fingerprint

    device = claim(resolve("auto"))
    scorer = set_up([name], device)[0]
    return scorer, scorer_fingerprint(scorer), device


def score_calls(name: str, calls: Sequence[Call]) -> list[dict[str, Any]]:
    """The values of scorer `name` for each call, with fingerprint, device and dtype; all None where a clip cannot be scored."""
    scorer, fingerprint, device = _loaded(name)
    nothing = dict.fromkeys([field.name for field in STORED[name]] + ["fingerprint", "device", "dtype"])
    rows = [nothing] * len(calls)
    clips = {row: clip for row, call in enumerate(calls) if (clip := _clip(call)) is not None}
    asked = [Asked(clip, (name,)) for clip in clips.values()]
    for row, (_, outcomes) in zip(clips, score_clips(asked, [scorer])):
        outcome = outcomes[name]
        if not isinstance(outcome, Rejected):
            rows[row] = nothing | outcome | {"fingerprint": fingerprint, "device": device.kind, "dtype": device.dtype}
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
