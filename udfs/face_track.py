"""One face followed through a clip: found once in every frame, with its mouth, and the square that holds it all the time.

Frames come one after the other. A face that is known is sought close to where it was, all faces once a second and whenever none
is found; the one that is largest for longest wins (talkvid.md §11.7: the first detection of each frame is no track).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.codes import Rejected
from udfs.faces.backend import Face
from udfs.lips import lip_box, mouth_outline
from udfs.scorer import RGB

CROP_GROWTH = 1.6
"""Side of the crop, in longer sides of the box that holds the face in all frames (vexpress.md §12)."""


class FaceFinder(Protocol):
    """What a tracker needs of a `FaceBackend`."""

    def detect(self, rgb: RGB) -> list[Face]:
        """All faces of a frame."""

    def again(self, rgb: RGB, face: Face) -> Face | None:
        """A face of the frame before, sought close to where it was."""

    def mouth(self, rgb: RGB, face: Face) -> NDArray[np.float32] | None:
        """Landmarks of the mouth (n, 2), or None."""


@dataclass(frozen=True)
class TrackConfig:
    """`survey_every` frames all faces are sought, not only those that are followed; at most `followed` are, the highest ones.

    `overlap` (intersection over union) makes two boxes of neighbouring frames one face. `most_missing` is the share of frames that
    may lack the face before the clip is given up; in those its place is interpolated.
    """

    survey_every: int = 25
    followed: int = 3
    overlap: float = 0.3
    most_missing: float = 0.2


@dataclass(frozen=True)
class FaceTrack:
    """A face in each of F frames. `keypoints` (F, 5, 2) and `boxes` (F, 4) as in `udfs.faces.backend.Face`; `mouths` (F, 4): left, top,
    right and bottom of the mouth's outline; all in px of the frame. `interpolated` (F,) is true where the face was not found."""

    keypoints: NDArray[np.float32]
    boxes: NDArray[np.float32]
    mouths: NDArray[np.float32]
    interpolated: NDArray[np.bool_]

    def in_crop(self, crop: Sequence[int], side_px: int) -> "FaceTrack":
        """The same in px of the square `crop` (left, top, right, bottom) resized to `side_px`."""
        scale = side_px / (crop[2] - crop[0])
        corner = np.array(crop[:2], np.float32)
        pairs = np.concatenate([corner, corner])
        return FaceTrack((self.keypoints - corner) * scale, (self.boxes - pairs) * scale, (self.mouths - pairs) * scale, self.interpolated)

    @property
    def lip_boxes(self) -> NDArray[np.float32]:
        """`udfs.lips.lip_box` of each frame's mouth (F, 4). It rounds to whole px, so it is asked for where the lips shall lie: in the crop."""
        return np.array([lip_box(mouth.reshape(2, 2)) for mouth in self.mouths], np.float32)


@dataclass
class _Candidate:
    """A face that may be the one: what was seen of it, by frame."""

    seen: dict[int, Face] = field(default_factory=dict)
    mouths: dict[int, NDArray[np.float64]] = field(default_factory=dict)

    @property
    def last(self) -> Face:
        """The face in the newest frame that has it."""
        return self.seen[max(self.seen)]

    @property
    def weight(self) -> float:
        """Its height, summed over the frames that have it."""
        return float(sum(_height(face.box) for face in self.seen.values()))


class FaceTracker:
    """Takes the `total` frames of a clip with `see`, in order, then gives the `track`. `outlined`: lip boxes come from landmarks of the mouth."""

    def __init__(self, backend: FaceFinder, total: int, config: TrackConfig = TrackConfig()) -> None:
        self._backend, self._total, self._config = backend, total, config
        self._candidates: list[_Candidate] = []
        self._frames = self._without = 0
        self.surveys = 0
        self.outlined = False

    def see(self, rgb: RGB) -> None:
        """Look at the next frame. Raises `Rejected("no_face")` once too many frames are without any face."""
        now = self._frames
        self._frames += 1
        for candidate in self._followed():
            face = self._backend.again(rgb, candidate.last)
            if face is not None and overlap(face.box, candidate.last.box) >= self._config.overlap:
                self._note(candidate, rgb, face)
        if now % self._config.survey_every == 0 or not any(now in candidate.seen for candidate in self._candidates):
            self._survey(rgb)
        if not any(now in candidate.seen for candidate in self._candidates):
            self._without += 1
            self._give_up_after(self._without)

    def see_again(self) -> None:
        """The next frame is the same picture as the last one."""
        before, now = self._frames - 1, self._frames
        self._frames += 1
        for candidate in self._candidates:
            if before in candidate.seen:
                candidate.seen[now] = candidate.seen[before]
                candidate.mouths[now] = candidate.mouths[before]
        if not any(now in candidate.seen for candidate in self._candidates):
            self._without += 1
            self._give_up_after(self._without)

    def track(self) -> FaceTrack:
        """The largest and most continuous face, gaps interpolated. Raises `Rejected("no_face")` when too many frames lack it."""
        chosen = _joined(self._candidates)
        self._give_up_after(self._total - len(chosen.seen))
        found = np.array(sorted(chosen.seen))
        faces = [chosen.seen[frame] for frame in found]
        values = np.stack([np.concatenate([face.keypoints.ravel(), face.box, chosen.mouths[frame]]) for frame, face in zip(found, faces, strict=True)])
        every = np.arange(self._total)
        filled = np.stack([np.interp(every, found, column) for column in values.T], axis=1).astype(np.float32)
        return FaceTrack(filled[:, :10].reshape(-1, 5, 2), filled[:, 10:14], filled[:, 14:], ~np.isin(every, found))

    def _followed(self) -> list[_Candidate]:
        recent = [candidate for candidate in self._candidates if self._frames - 1 - max(candidate.seen) <= self._config.survey_every]
        return sorted(recent, key=lambda candidate: -_height(candidate.last.box))[: self._config.followed]

    def _survey(self, rgb: RGB) -> None:
        """All faces of the frame: those of a candidate go to it where it was not found yet, the others are new candidates."""
        self.surveys += 1
        now = self._frames - 1
        for face in self._backend.detect(rgb):
            near = max(self._candidates, key=lambda candidate: overlap(face.box, candidate.last.box), default=None)
            if near is None or overlap(face.box, near.last.box) < self._config.overlap:
                near = _Candidate()
                self._candidates.append(near)
            if now not in near.seen:
                self._note(near, rgb, face)

    def _note(self, candidate: _Candidate, rgb: RGB, face: Face) -> None:
        outline = self._backend.mouth(rgb, face)
        self.outlined |= outline is not None
        candidate.seen[self._frames - 1] = face
        points = np.asarray(mouth_outline(face.keypoints) if outline is None else outline, np.float64)
        candidate.mouths[self._frames - 1] = np.concatenate([points.min(axis=0), points.max(axis=0)])

    def _give_up_after(self, missing: int) -> None:
        if missing > self._config.most_missing * self._total or missing == self._total:
            share = f"more than {self._config.most_missing:.0%} of its frames are" if missing < self._total else "it is"
            raise Rejected("no_face", f"{share} without a face that could be followed ({missing} of {self._total})")


def _joined(candidates: Sequence[_Candidate]) -> _Candidate:
    """The weightiest candidate, and what continues it: candidates that are never there with it, not far away and about as large."""
    whole = _Candidate()
    for candidate in sorted(candidates, key=lambda candidate: -candidate.weight):
        if not whole.seen or not whole.seen.keys() & candidate.seen.keys() and _continues(whole, candidate):
            whole.seen |= candidate.seen
            whole.mouths |= candidate.mouths
    return whole


def _continues(one: _Candidate, other: _Candidate) -> bool:
    """Whether the nearest sightings in time of two candidates are within two heights of each other and within twice the size."""
    there, here = min(((a, b) for a in one.seen for b in (min(other.seen), max(other.seen))), key=lambda pair: abs(pair[0] - pair[1]))
    a, b = one.seen[there].box, other.seen[here].box
    heights = sorted((_height(a), _height(b)))
    middles = (a.reshape(2, 2).mean(axis=0), b.reshape(2, 2).mean(axis=0))
    return heights[1] <= 2 * heights[0] and float(np.linalg.norm(middles[0] - middles[1])) <= 2 * heights[1]


def overlap(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Intersection over union of two boxes."""
    common = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
    return float(common / max(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common, 1e-6))


def square_crop(boxes: NDArray[np.float32], width: int, height: int) -> tuple[int, int, int, int]:
    """The square (left, top, right, bottom) about the union of `boxes` (F, 4), `CROP_GROWTH` times its longer side, inside the frame.

    It is shifted, then made smaller, so that it fits; it never stops being a square.
    """
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    side = max(2, min(int(CROP_GROWTH * float((high - low).max())), width, height))
    left, top = (int(round(float(middle) - side / 2)) for middle in (low + high) / 2)
    left, top = min(max(left, 0), width - side), min(max(top, 0), height - side)
    return left, top, left + side, top + side


def _height(box: NDArray[np.float32]) -> float:
    return float(box[3] - box[1])
