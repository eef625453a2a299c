"""Two videos side by side, at the same moments, a frame of each at a time."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from schemas.codes import Rejected
from udfs.media import Probe, frame_times, frames, probe
from udfs.sampling import nearest
from udfs.scorer import RGB

SAME_SHAPE = 0.02
"""Relative difference of width / height up to which two pictures are taken to show the same."""


@dataclass(frozen=True)
class Moment:
    """What both videos show at one time. `real` has the size of `generated` where their shapes are the same."""

    number: int
    time_s: float
    generated: RGB | None
    real: RGB | None


class VideoPair:
    """A generated video, the real one, or one of both; `fps` looks a second for as long as both last.

    `count` is the number of looks, `comparable` whether both have one shape. Raises `Rejected` as `udfs.media.probe`.
    """

    def __init__(self, generated: Path | None, real: Path | None, fps: float) -> None:
        self._paths = {"generated": generated, "real": real}
        self.probes: dict[str, Probe] = {}
        for side, path in self._paths.items():
            if path is not None:
                with named(side):
                    self.probes[side] = probe(path)
        self._fps = fps
        self.seconds = min(found.duration_s for found in self.probes.values())
        self.count = max(1, int(self.seconds * fps + 1e-6))
        shapes = [found.width / found.height for found in self.probes.values()]
        self.comparable = len(shapes) == 2 and abs(shapes[0] / shapes[1] - 1) <= SAME_SHAPE

    def size(self, side: str) -> tuple[int, int]:
        """Width and height in px of a side's frames as moments have them."""
        found = self.probes["generated" if self.comparable else side]
        return found.width, found.height

    def __iter__(self) -> Iterator[Moment]:
        """Moments in their order; two frames are held. Raises `Rejected` as `udfs.media.frames`."""
        moments_s = [number / self._fps for number in range(self.count)]
        generated, real = (self._frames(side, moments_s) for side in self._paths)
        for number, (one, other) in enumerate(zip(generated, real, strict=True)):
            yield Moment(number, moments_s[number], one, self._fitted(other))

    def _frames(self, side: str, moments_s: Sequence[float]) -> Iterator[RGB | None]:
        path = self._paths[side]
        if path is None:
            yield from (None for _ in moments_s)
            return
        with named(side):
            times = frame_times(path)
            shown_s = times.tolist()
            asked = [nearest(shown_s, moment) for moment in moments_s]
            stream = frames(path, times, float(times[0]), self.probes[side].duration_s + 1.0, sorted(set(asked)))
            shown: RGB | None = None
            ahead = next(stream, None)
            for index in asked:
                while ahead is not None and (shown is None or ahead[0] <= index):
                    shown, ahead = ahead[1], next(stream, None)
                if shown is None:
                    raise Rejected("decode_error", "no frame could be decoded")
                yield shown

    def _fitted(self, real: RGB | None) -> RGB | None:
        if real is None or not self.comparable:
            return real
        size = self.probes["generated"].width, self.probes["generated"].height
        if (real.shape[1], real.shape[0]) == size:
            return real
        import cv2

        smaller = size[0] < real.shape[1]
        return np.ascontiguousarray(cv2.resize(real, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR))


@contextlib.contextmanager
def named(side: str) -> Iterator[None]:
    """A rejection in the block says which video it means."""
    try:
        yield
    except Rejected as rejection:
        raise Rejected(rejection.code, f"the {side} video: {rejection.detail}") from None
