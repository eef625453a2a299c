"""Which clips of a snapshot are never trained on: whole videos, chosen by their ids, the same in every run and on every rank."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from training.snapshot import Snapshot

SHARE = 0.05
"""Held out at most, so that a small collection is not eaten up; of fewer than twenty clips none is held out."""


def split(snapshot: Snapshot, samples: int, shortest: int = 0) -> tuple[Snapshot, Snapshot | None]:
    """(what is trained on, what is held out or None): about `samples` clips of at least `shortest` frames, of videos that training then never sees.

    Clips that are gone count like the others, so that a resumed run holds the same videos out.
    """
    usable = [clip_id for clip_id, frames in zip(snapshot.clip_ids, snapshot.frames) if frames >= shortest]
    chosen = _videos(usable, min(samples, int(SHARE * len(usable))))
    if not chosen:
        return snapshot, None
    held = [_video(clip_id) in chosen for clip_id in snapshot.clip_ids]
    return _only(snapshot, [not out for out in held]), _only(snapshot, held)


def _videos(clip_ids: Sequence[str], most: int) -> set[str]:
    """Videos in the order of their hashes, as long as their clips together are no more than `most`."""
    clips = Counter(map(_video, clip_ids))
    chosen, count = set(), 0
    for video in sorted(clips, key=lambda name: hashlib.sha256(name.encode()).digest()):
        if count + clips[video] <= most:
            chosen.add(video)
            count += clips[video]
    return chosen


def _video(clip_id: str) -> str:
    return clip_id.rsplit("-", 2)[0]


def _only(snapshot: Snapshot, wanted: Sequence[bool]) -> Snapshot:
    kept = {name: tuple(value for value, keep in zip(getattr(snapshot, name), wanted) if keep) for name in ("clip_ids", "frames", "units", "places")}
    return replace(snapshot, **kept)
