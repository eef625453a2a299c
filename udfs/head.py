"""Scorer `head`: how a head moves, turns, faces the camera and fills the frame; who it is (talkvid.md §4)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from udfs import head_measures as measures
from udfs.faces.backend import Attributes, Face, Pose
from udfs.faces.choose import face_backend, resolved
from udfs.nets.onnx_session import onnx_device
from udfs.sampling import nearest_each
from udfs.scorer import RGB, Clip, Device, Outcome, Reduced


@dataclass(frozen=True)
class HeadConfig:
    """`backend`: `centerface-dlib`, `insightface:<pack>`, or `auto`: the first pack that is installed, else `centerface-dlib`.

    `side_px` is the longer side of the frame as the detector sees it, `threshold` its least score. `identity_frames` is
    how many frames, the most frontal ones, the identity embedding is the mean of.
    """

    backend: str = "auto"
    side_px: int = 640
    threshold: float = 0.5
    identity_frames: int = 5


@dataclass(frozen=True, slots=True)
class Sighting:
    """What is kept of a frame: how many faces it had and, where it had exactly one, everything about that face."""

    faces: int
    face: Face | None = None
    pose: Pose | None = None
    attributes: Attributes | None = None
    chip: RGB | None = None


class Head:
    """All values of talkvid.md §4.2 at one frame a second, at true timestamps. `config.backend` is resolved when it is made."""

    name = "head"
    version = 1
    needs: frozenset[str] = frozenset()

    def __init__(self, config: HeadConfig = HeadConfig()) -> None:
        self.config = replace(config, backend=resolved(config.backend))
        self._backend = face_backend(self.config.backend, self.config.side_px, self.config.threshold)
        self.weights: tuple[str, ...] = self._backend.weights

    def runs_on(self, device: Device) -> Device:
        """The device where onnxruntime can use it, always in float32."""
        return onnx_device(device)

    def setup(self, device: Device) -> None:
        """Load the back end's networks. Raises `MissingError` when their weights are not there."""
        import cv2

        cv2.setNumThreads(device.threads)
        self._backend.setup(device)

    def plan(self, clip: Clip, pts: Sequence[float]) -> list[int]:
        """The frame nearest to each whole second, `max(1, int(duration))` of them."""
        seconds = max(1, int(clip.end_s - clip.start_s + 1e-6))
        return nearest_each(pts, (float(second) for second in range(seconds)))

    def reduce(self, clip: Clip, frame: RGB, index: int) -> Sighting:
        """Find the faces; describe the one that is alone."""
        faces = self._backend.detect(frame)
        if len(faces) != 1:
            return Sighting(len(faces))
        face = faces[0]
        return Sighting(1, face, self._backend.pose(frame, face), self._backend.attributes(frame, face), self._backend.chip(frame, face))

    def score(self, clips: list[Reduced]) -> list[Outcome]:
        """Values of `schemas.scores.STORED["head"]`, one dict per clip; a clip without a single-face frame has None but for counts."""
        return [self._one(clip) for clip in clips]

    def _one(self, clip: Reduced) -> dict[str, Any]:
        sightings: list[Sighting] = clip.frames
        alone = [(time_s, sighting) for time_s, sighting in zip(clip.times_s, sightings, strict=True) if sighting.face]
        counts = [sighting.faces for sighting in sightings]
        single = [sighting for _, sighting in alone]
        return {
            **measures.head_values([sighting.face for sighting in single], [sighting.pose for sighting in single], clip.clip.width_px, clip.clip.height_px),
            "face_consistency": measures.face_consistency(counts),
            "faces_max": max(counts, default=None),
            "backend": self._backend.name,
            "pose_source": self._backend.pose_source,
            "frames": len(alone),
            **_person([sighting.attributes for sighting in single if sighting.attributes]),
            "embedding": self._identity(single),
            "faces": [_row(time_s, sighting.face) for time_s, sighting in alone],
        }

    def _identity(self, sightings: list[Sighting]) -> list[float] | None:
        """Mean of the unit embeddings of the most frontal faces, at unit length."""
        frontal = sorted((s for s in sightings if s.chip is not None), key=lambda s: measures.turned_away(s.pose))[: self.config.identity_frames]
        if not frontal:
            return None
        vectors = self._backend.embed([sighting.chip for sighting in frontal])
        mean = _unit(vectors).mean(axis=0, keepdims=True)
        return _unit(mean)[0].tolist()


def _person(estimates: list[Attributes]) -> dict[str, Any]:
    if not estimates:
        return {"age": None, "gender": None}
    genders = Counter(estimate.gender for estimate in estimates)
    return {"age": float(median(estimate.age for estimate in estimates)), "gender": genders.most_common(1)[0][0]}


def _row(time_s: float, face: Face) -> dict[str, Any]:
    return {"time_s": float(time_s), "box": face.box.tolist(), "score": face.score, "keypoints": face.keypoints.ravel().tolist()}


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
