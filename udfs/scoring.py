"""The one driver of all scorers: one decoder start per clip, frames handed to whoever asked, decoding beside inference.

Spark-free. `score_clips` measures clips; `score_items` is the same as a worker for `jobs.batches`, with rows in and out.
"""

import sys
import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.codes import Rejected
from udfs import media
from udfs.cascade import Cascade, Skipped
from udfs.displayed import sized
from udfs.registered import Registered
from udfs.scorer import Clip, Device, Outcome, Reduced, Scorer

Views = dict[str, Reduced | Rejected | Skipped]
Outcomes = dict[str, "Outcome | Skipped"]
File = tuple[str, Registered | None]
"""A video's address, and which file shall lie there."""

DECODE_AHEAD = 2
"""Clips that are decoded while another is scored; bounds the views held in memory."""


@dataclass(frozen=True)
class Asked:
    """A clip and the names of the scorers that shall measure it. `known` is what its row of `clip_metadata` says already."""

    clip: Clip
    scorers: tuple[str, ...]
    known: Mapping[str, Any] = field(default_factory=dict)


def score_clips(
    asked: Sequence[Asked],
    scorers: Sequence[Scorer],
    *,
    clips_per_batch: int = 1,
    decode_ahead: int = DECODE_AHEAD,
    cascade: Cascade | None = None,
) -> Iterator[tuple[int, Outcomes]]:
    """Yield (index into `asked`, outcome of each asked scorer), every clip once, in order.

    `scorers` are set up, in any order; those that need `head` run after the scorer `head`. A scorer sees up to `clips_per_batch` clips at a
    time; its `reduce` and `score` are never called concurrently. What fails is a `Rejected` outcome, never an exception; what a
    `cascade` spares is `Skipped`.
    """
    order = sorted(scorers, key=lambda scorer: (cascade.rank(scorer.name) if cascade else 0, "head" in scorer.needs))
    by_name = {scorer.name: scorer for scorer in order}
    locks = {name: threading.Lock() for name in by_name}
    with _Videos(asked) as videos, ThreadPoolExecutor(max_workers=decode_ahead) as pool:
        waiting: deque[tuple[int, Future[Views]]] = deque()
        upcoming = iter(range(len(asked)))
        batch: list[tuple[int, Views]] = []

        def submit() -> None:
            index = next(upcoming, None)
            if index is not None:
                spared = _spared(asked[index], cascade)
                wanted = [by_name[name] for name in by_name if name in asked[index].scorers and name not in spared]
                waiting.append((index, pool.submit(_views, asked[index].clip, wanted, spared, videos, locks)))

        for _ in range(decode_ahead + clips_per_batch - 1):
            submit()
        while waiting:
            index, future = waiting.popleft()
            batch.append((index, future.result()))
            submit()
            if len(batch) == clips_per_batch or not waiting:
                known = [dict(asked[index].known) for index, _ in batch]
                yield from zip((index for index, _ in batch), _scored([views for _, views in batch], known, by_name, locks, cascade))
                batch = []


def _spared(asked: Asked, cascade: Cascade | None) -> dict[str, Skipped]:
    """The scorers that the cascade keeps from a clip whatever the others of this run will measure."""
    if cascade is None:
        return {}
    stays = {name: value for name, value in asked.known.items() if name not in asked.scorers}
    rules = {name: cascade.failed_before(name, stays) for name in asked.scorers}
    return {name: Skipped(rule) for name, rule in rules.items() if rule is not None}


class _Video:
    """A video that is open on this machine: its local path and frame times."""

    def __init__(self, staged: AbstractContextManager[Path]) -> None:
        self._stack = ExitStack()
        self.path = self._stack.enter_context(staged)
        try:
            self.times_s = media.frame_times(self.path)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give up the staged copy."""
        self._stack.close()


class _Videos:
    """Videos in use: each is staged when its first clip comes and given up after its last."""

    def __init__(self, asked: Sequence[Asked]) -> None:
        self._left = Counter(_file(request.clip) for request in asked)
        self._open: dict[File, _Video | Rejected] = {}
        self._locks = {file: threading.Lock() for file in self._left}

    def __enter__(self) -> "_Videos":
        return self

    def __exit__(self, *error: object) -> None:
        for file in list(self._open):
            self._close(file)

    def get(self, file: File) -> _Video:
        """The open video; raises the same `Rejected` for every clip of one that cannot be opened."""
        with self._locks[file]:
            if file not in self._open:
                try:
                    self._open[file] = _Video(media.staged(*file))
                except Rejected as rejection:
                    self._open[file] = rejection
            video = self._open[file]
        if isinstance(video, Rejected):
            raise video
        return video

    def done_with(self, file: File) -> None:
        """One clip of the video less to go."""
        with self._locks[file]:
            self._left[file] -= 1
            if self._left[file] == 0:
                self._close(file)

    def _close(self, file: File) -> None:
        video = self._open.pop(file, None)
        if isinstance(video, _Video):
            video.close()


def _file(clip: Clip) -> File:
    return clip.uri, clip.registered


def _views(clip: Clip, scorers: Sequence[Scorer], spared: dict[str, Skipped], videos: _Videos, locks: dict[str, threading.Lock]) -> Views:
    """Decode a clip once, if any scorer wants it, and let every scorer keep what it needs."""
    try:
        return {**spared, **(_reduced(clip, scorers, videos.get(_file(clip)), locks) if scorers else {})}
    except Rejected as rejection:
        return {**spared, **{scorer.name: rejection for scorer in scorers}}
    finally:
        videos.done_with(_file(clip))


def _reduced(clip: Clip, scorers: Sequence[Scorer], video: _Video, locks: dict[str, threading.Lock]) -> Views:
    first, after = media.span(video.times_s, clip.start_s, clip.end_s)
    if first >= after:
        raise Rejected("truncated", f"the video has no frames between {clip.start_s:.3f} s and {clip.end_s:.3f} s")
    clip = sized(clip, video.path)
    times_s = (video.times_s[first:after] - clip.start_s).tolist()
    views: Views = {scorer.name: Reduced(clip) for scorer in scorers}
    wanted: dict[str, set[int]] = {}
    for scorer in scorers:
        plan = _guarded(scorer, lambda scorer=scorer: list(scorer.plan(clip, times_s)))
        if isinstance(plan, Rejected):
            views[scorer.name] = plan
        else:
            wanted[scorer.name] = set(plan)
    union = sorted(set().union(*wanted.values())) if wanted else []
    for index, frame in media.frames(video.path, video.times_s, clip.start_s, clip.end_s, union, crop=clip.crop) if union else ():
        for scorer in scorers:
            view = views[scorer.name]
            if isinstance(view, Reduced) and index in wanted[scorer.name]:
                with locks[scorer.name]:
                    kept = _guarded(scorer, lambda scorer=scorer, frame=frame, index=index: scorer.reduce(clip, frame, index))
                if isinstance(kept, Rejected):
                    views[scorer.name] = kept
                else:
                    view.indices.append(index)
                    view.times_s.append(times_s[index])
                    view.frames.append(kept)
    _add_audio(clip, scorers, video, views)
    return views


def _add_audio(clip: Clip, scorers: Sequence[Scorer], video: _Video, views: Views) -> None:
    """Sound for those that need it, read once; empty when the clip has none."""
    hearing = [views[scorer.name] for scorer in scorers if "audio_16k" in scorer.needs]
    if not hearing:
        return
    sound = _sound(clip, video) if clip.has_audio else np.zeros(0, np.float32)
    for view in hearing:
        if isinstance(view, Reduced):
            view.audio_16k = sound


def _sound(clip: Clip, video: _Video) -> NDArray[np.float32]:
    if clip.audio_uri is None:
        return media.audio_16k(video.path, clip.start_s, clip.end_s)
    with media.staged(clip.audio_uri) as path:
        return media.audio_16k(path, clip.start_s, clip.end_s)


def _scored(
    batch: list[Views], known: list[dict[str, Any]], by_name: dict[str, Scorer], locks: dict[str, threading.Lock], cascade: Cascade | None
) -> list[Outcomes]:
    """Outcomes of a batch of clips, scorer by scorer; `known` grows by what is measured."""
    outcomes: list[Outcomes] = [{} for _ in batch]
    for name, scorer in by_name.items():
        ready: dict[int, Reduced] = {}
        for row, views in enumerate(batch):
            view = views.get(name)
            rule = cascade.failed_before(name, known[row]) if cascade and isinstance(view, Reduced) else None
            if rule is not None:
                outcomes[row][name] = Skipped(rule)
            elif isinstance(view, Reduced):
                head = known[row].get("head")
                view.head = head if isinstance(head, dict) else None
                ready[row] = view
            elif view is not None:
                outcomes[row][name] = view
        if not ready:
            continue
        with locks[name]:
            views = list(ready.values())
            answers = _guarded(scorer, lambda scorer=scorer, views=views: scorer.score(views))
        for position, row in enumerate(ready):
            outcomes[row][name] = known[row][name] = answers if isinstance(answers, Rejected) else answers[position]
            if isinstance(known[row][name], Rejected):
                del known[row][name]
    return outcomes


def _guarded(scorer: Scorer, call: Callable[[], Any]) -> Any:
    """The call's answer; an exception becomes a `Rejected`, its traceback goes to the log."""
    try:
        return call()
    except Rejected as rejection:
        return rejection
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        return Rejected("internal", f"{scorer.name}: {type(error).__name__}: {error}")


def set_up(names: Sequence[str], device: Device, configs: Mapping[str, Any] | None = None) -> list[Scorer]:
    """The named scorers, their networks loaded. Raises `MissingError` when weights are missing."""
    from udfs.registry import build

    scorers = build(names, configs or {})
    for scorer in scorers:
        scorer.setup(scorer.runs_on(device))
    return scorers
