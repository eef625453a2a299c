"""What each metric keeps of the frames that stream past: sums and features, never frames (but FVD's window and SyncNet's JPEGs)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from inference.metrics.lpips import between_vectors
from inference.metrics.pixels import l1, psnr
from inference.metrics.ssim import ssim
from inference.metrics.video_pair import Moment
from udfs.scorer import RGB

AT_ONCE = 8
SIDES = ("generated", "real")


@dataclass(frozen=True)
class Value:
    """A metric's value of one video, or the reason why it has none."""

    value: float | None = None
    reason: str | None = None


Features = dict[str, NDArray[np.float32]]
"""By side, (n, d)."""


class Gauge(Protocol):
    """Sees every moment of a pair in order, then tells."""

    def see(self, moment: Moment) -> None:
        """Keep what is needed of it."""

    def values(self) -> dict[str, Value]:
        """Values by metric."""


class PixelGauge:
    """L1, PSNR and SSIM, each frame against the other."""

    def __init__(self, names: Sequence[str]) -> None:
        measures: dict[str, Callable[[RGB, RGB], float]] = {"l1": l1, "psnr": psnr, "ssim": ssim}
        self._measures = {name: measures[name] for name in names}
        self._found: dict[str, list[float]] = {name: [] for name in names}

    def see(self, moment: Moment) -> None:
        """Measure one moment; both of its frames must be there, RGB bytes (H, W, 3)."""
        assert moment.generated is not None and moment.real is not None
        for name, measure in self._measures.items():
            self._found[name].append(measure(moment.generated, moment.real))

    def values(self) -> dict[str, Value]:
        """The mean over frames by metric: L1 in 0..1, PSNR in dB, SSIM up to 1 (metrics.md §5)."""
        return {name: mean_of(found, "no frames") for name, found in self._found.items()}


class LpipsGauge:
    """LPIPS of both videos, and of each video's frames with the next. `vectors` is a `networks.LpipsVectors`; two vectors a side are held."""

    def __init__(self, names: Sequence[str], vectors: Any, stride: int) -> None:
        self._names, self._vectors, self._stride = names, vectors, stride
        self._found: dict[str, list[float]] = {name: [] for name in names}
        self._before: dict[str, Any] = {}

    def see(self, moment: Moment) -> None:
        """Measure one moment: every `stride`-th pair of frames, and the step from such a frame to the next one."""
        looks, follows = moment.number % self._stride == 0, moment.number > 0 and (moment.number - 1) % self._stride == 0
        temporal = {"generated": "temporal_lpips", "real": "temporal_lpips_real"}
        now: dict[str, Any] = {}
        for side in SIDES:
            frame = getattr(moment, side)
            step = follows and temporal[side] in self._names
            if frame is None or not (step or looks and (temporal[side] in self._names or "lpips" in self._names)):
                continue
            now[side] = self._vectors(frame[None])
            if step and side in self._before:
                self._found[temporal[side]].append(float(between_vectors(self._before[side], now[side])[0]))
        if looks and "lpips" in self._names:
            self._found["lpips"].append(float(between_vectors(now["generated"], now["real"])[0]))
        self._before = now if looks else {}

    def values(self) -> dict[str, Value]:
        """The mean over what was looked at, by metric; a reason where there was nothing."""
        return {name: mean_of(found, "fewer than two frames") for name, found in self._found.items()}


@dataclass
class FidGauge:
    """Features of every `stride`-th frame. `network` is a `networks.FidFeatures`."""

    network: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    stride: int
    _waiting: dict[str, list[RGB]] = field(default_factory=lambda: {side: [] for side in SIDES})
    _found: dict[str, list[NDArray[np.float32]]] = field(default_factory=lambda: {side: [] for side in SIDES})

    def see(self, moment: Moment) -> None:
        """Keep what is needed of it."""
        if moment.number % self.stride:
            return
        for side in SIDES:
            frame = getattr(moment, side)
            if frame is not None:
                self._waiting[side].append(frame)
            if len(self._waiting[side]) == AT_ONCE:
                self._run(side)

    def features(self) -> Features:
        """(n, 2048) by side."""
        for side in SIDES:
            if self._waiting[side]:
                self._run(side)
        return {side: np.concatenate(found) for side, found in self._found.items() if found}

    def _run(self, side: str) -> None:
        self._found[side].append(np.asarray(self.network(np.stack(self._waiting[side])), np.float32))
        self._waiting[side] = []


class FvdGauge:
    """Features of one window of `frames` consecutive moments, from `first` on. `network` is a `networks.FvdFeatures`."""

    def __init__(self, network: Callable[[NDArray[np.uint8]], NDArray[np.float32]], first: int, frames: int) -> None:
        self._network, self._window = network, range(first, first + frames)
        self._held: dict[str, list[RGB]] = {side: [] for side in SIDES}

    def see(self, moment: Moment) -> None:
        """Keep the window."""
        if moment.number in self._window:
            for side in SIDES:
                frame = getattr(moment, side)
                if frame is not None:
                    self._held[side].append(frame)

    def features(self) -> Features:
        """(1, 400) by side."""
        return {side: np.asarray(self._network(np.stack(held)[None]), np.float32) for side, held in self._held.items() if held}


def mean_of(found: Sequence[float], otherwise: str) -> Value:
    """The mean, or why there is none."""
    return Value(float(np.mean(found))) if found else Value(reason=otherwise)
