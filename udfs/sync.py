"""Scorer `sync`: whether lips and sound belong together, and how far apart they are, by SyncNet (metrics.md §1)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from schemas.codes import Rejected
from schemas.scores import SYNC
from udfs import weights
from udfs.head import Head, HeadConfig
from udfs.nets.syncnet.agreement import FPS
from udfs.nets.syncnet.crop import SIDE_PX, cut, smoothed, square
from udfs.sampling import nearest, nearest_each
from udfs.scorer import RGB, Clip, Device, Outcome, Reduced
from udfs.sync_track import Track, longest_track

if TYPE_CHECKING:
    from udfs.nets.syncnet.network import SyncNet

JPEG_QUALITY = 95


@dataclass(frozen=True)
class SyncConfig:
    """`longest_s`: what is judged of a clip, from its start. `least_frames` of 1/25 s a face must be seen for: LatentSync's 50 (upstream's is 101).

    `side_px`: a kept frame's shorter side at most. `boxes`: the back end of `head` whose face boxes are cropped by, `auto` as `head` takes it;
    SyncNet's authors used S3FD, so compare scores within one kind only (metrics.md §1.4).
    """

    longest_s: float = 30.0
    least_frames: int = 50
    side_px: int = 720
    boxes: str = "auto"


class Sync:
    """Values of the longest stretch with exactly one face. All None for a clip without sound, without such a face, or too short.

    Faces are those that `head` saw, one a second, linear in between. Frames wait for them as JPEG, as upstream's do.
    """

    name = "sync"
    version = 2
    needs: frozenset[str] = frozenset({"audio_16k", "head"})
    weights: tuple[str, ...] = ("syncnet",)

    def __init__(self, config: SyncConfig = SyncConfig()) -> None:
        self.config = replace(config, boxes=Head(HeadConfig(backend=config.boxes)).config.backend)
        self._network: SyncNet | None = None

    def runs_on(self, device: Device) -> Device:
        """The device in float32: the measured confidence is a small difference of distances."""
        return device.in_float32()

    def setup(self, device: Device) -> None:
        """Load the network. Raises `MissingError` when its weights are not there, `VerificationError` when they are others."""
        path = weights.path(self.weights[0])
        from udfs.nets.syncnet.session import network_on

        self._network = network_on(path, device)

    def plan(self, clip: Clip, pts: Sequence[float]) -> list[int]:
        """The frame nearest to each 1/25 s; none of a clip without sound."""
        return nearest_each(pts, _moments_s(self._seconds(clip))) if clip.has_audio else []

    def reduce(self, clip: Clip, frame: RGB, index: int) -> NDArray[np.uint8]:
        """The frame as JPEG, about 0.2 MB."""
        import cv2

        scale = self._scale(clip)
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else frame
        return cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]

    def score(self, clips: list[Reduced]) -> list[Outcome]:
        """Values of `schemas.scores.SYNC`, one dict per clip; `Rejected` where `head` was not measured beside."""
        outcomes: list[Outcome] = []
        for clip in clips:
            try:
                outcomes.append(self._one(clip))
            except Rejected as rejection:
                outcomes.append(rejection)
        return outcomes

    def _one(self, clip: Reduced) -> dict[str, Any]:
        from udfs.nets.syncnet.session import judge, sixteen_bit

        sound = clip.audio_16k
        if not clip.frames or sound is None or not sound.size:
            return _nothing()
        track = longest_track(self._faces(clip.head), self._seconds(clip.clip))
        if track is None or len(track.boxes) < self.config.least_frames:
            return _nothing()
        assert self._network is not None
        found = judge(self._network, self._crops(clip, track), sixteen_bit(_from(sound, track.first)))
        if found is None:
            return _nothing()
        return {"confidence": found.confidence, "distance": found.distance, "offset_frames": found.offset_frames}

    def _faces(self, head: dict[str, Any] | None) -> list[dict[str, Any]]:
        if head is None or head.get("faces") is None:
            raise Rejected("internal", "sync crops by the faces of the scorer head, which gave none for this clip in this run; score both together")
        if head["backend"] != self.config.boxes:
            raise Rejected("internal", f"sync is configured for face boxes of {self.config.boxes}, and head gave those of {head['backend']}")
        return head["faces"]

    def _crops(self, clip: Reduced, track: Track) -> NDArray[np.uint8]:
        """(T, 224, 224, 3), blue first, at 25 frames a second."""
        import cv2

        squares = [square(*place) for place in zip(*smoothed(track.boxes * self._scale(clip.clip)))]
        crops = np.empty((len(squares), SIDE_PX, SIDE_PX, 3), np.uint8)
        decoded, frame = -1, None
        for number, where in enumerate(squares):
            kept = nearest(clip.times_s, (track.first + number) / FPS)
            if kept != decoded:
                decoded, frame = kept, cv2.imdecode(clip.frames[kept], cv2.IMREAD_COLOR)
            crops[number] = cut(frame, where)
        return crops

    def _seconds(self, clip: Clip) -> float:
        return min(clip.end_s - clip.start_s, self.config.longest_s)

    def _scale(self, clip: Clip) -> float:
        return min(1.0, self.config.side_px / min(clip.width_px, clip.height_px))


def _nothing() -> dict[str, Any]:
    return dict.fromkeys(column.name for column in SYNC)


def _moments_s(seconds: float) -> list[float]:
    return [number / FPS for number in range(int(seconds * FPS + 1e-6))]


def _from(sound: NDArray[np.float32], frame: int) -> NDArray[np.float32]:
    from udfs.nets.syncnet.session import SAMPLES_PER_FRAME

    return sound[frame * SAMPLES_PER_FRAME :]
