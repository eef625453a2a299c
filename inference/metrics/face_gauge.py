"""Metrics that look at faces: landmarks, identity, and lips with sound; one detection serves them all."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.metrics.face_run import LEAST_SIDE_PX, longest_run, side_px
from inference.metrics.gauges import SIDES, Value, mean_of
from inference.metrics.identity import identity_similarity
from inference.metrics.lmd import lmd, lmd_over_interocular
from inference.metrics.video_pair import Moment
from schemas.codes import Rejected
from udfs.faces.backend import Face, FaceBackend
from udfs.faces.dlib_landmarks import DlibLandmarks
from udfs.scorer import RGB, Clip, Reduced
from udfs.sync import Sync

LEAST_SEEN = 0.5
"""Share of looks in which a face must be found, else there is no value."""
SYNC = {"generated": {"lse_c": "confidence", "lse_d": "distance", "sync_offset": "offset_frames"}}
SYNC["real"] = {"lse_c_real": "confidence", "lse_d_real": "distance"}
"""Metric to the name of the scorer `sync` for it, by side."""


class FaceGauge:
    """Faces of every `stride`-th moment; `landmarks` None where no metric asks for them. `portrait` is a picture to compare faces with."""

    def __init__(self, names: Sequence[str], backend: FaceBackend, landmarks: DlibLandmarks | None, stride: int, portrait: RGB | None) -> None:
        self._names, self._backend, self._landmarks, self._stride = names, backend, landmarks, stride
        self._portrait = _chip(backend, portrait) if portrait is not None and "csim_portrait" in names else None
        self._looks = 0
        self._points: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        self._pairs: list[tuple[RGB, RGB]] = []
        self._alone: list[RGB] = []
        self.seen: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
        """Boxes by side, as `udfs.sync_track` takes them."""

    def see(self, moment: Moment) -> None:
        """Find the largest face of both frames, and keep what the metrics ask for."""
        if moment.number % self._stride:
            return
        self._looks += 1
        faces = {side: largest(self._backend, getattr(moment, side)) for side in SIDES}
        for side, face in faces.items():
            if face is not None:
                self.seen[side].append({"time_s": moment.time_s, "box": face.box.tolist()})
        one, other = faces["generated"], faces["real"]
        if one is None or moment.generated is None:
            return
        if self._landmarks is not None and other is not None:
            self._points.append((self._landmarks.of(moment.generated, one.box), self._landmarks.of(moment.real, other.box)))
        if not {"csim", "csim_portrait"} & set(self._names):
            return
        chip = self._backend.chip(moment.generated, one)
        real = self._backend.chip(moment.real, other) if "csim" in self._names and other is not None else None
        if chip is not None:
            self._alone += [chip] if self._portrait is not None else []
            self._pairs += [(chip, real)] if real is not None else []

    def values(self) -> dict[str, Value]:
        """Values of the metrics of landmarks and identity."""
        made: dict[str, Callable[[], Value]] = {
            "lmd": lambda: self._distance(lmd),
            "lmd_interocular": lambda: self._distance(lmd_over_interocular),
            "csim": lambda: self._alike([one for one, _ in self._pairs], [other for _, other in self._pairs]),
            "csim_portrait": self._alike_portrait,
        }
        return {name: make() for name, make in made.items() if name in self._names}

    def _distance(self, measure: Callable[..., float]) -> Value:
        if len(self._points) < LEAST_SEEN * self._looks or not self._points:
            return self._unseen(len(self._points))
        generated, real = (np.stack(points) for points in zip(*self._points, strict=True))
        return Value(measure(generated, real))

    def _alike_portrait(self) -> Value:
        if self._portrait is None:
            return Value(reason="no face was found in the portrait")
        return self._alike(self._alone, [self._portrait])

    def _alike(self, chips: Sequence[RGB], others: Sequence[RGB]) -> Value:
        if len(chips) < LEAST_SEEN * self._looks or not chips:
            return self._unseen(len(chips))
        ones, reals = self._backend.embed(list(chips)), self._backend.embed(list(others))
        return mean_of(identity_similarity(ones, reals if len(reals) == len(ones) > 1 else reals.mean(0)).tolist(), "no faces")

    def _unseen(self, found: int) -> Value:
        return Value(reason=f"a face was found in {found} of {self._looks} frames only")


class SyncGauge:
    """Lips and sound of one side, judged as the scorer `sync` does; faces come from a `FaceGauge` that saw the same moments."""

    def __init__(self, scorer: Sync, clip: Clip, sound: NDArray[np.float32], side: str) -> None:
        self._scorer, self._clip, self._sound, self._side = scorer, clip, sound, side
        self._view = Reduced(clip, audio_16k=sound)

    def see(self, moment: Moment) -> None:
        """Keep the frame as JPEG, for as long as the scorer looks."""
        frame = getattr(moment, self._side)
        if frame is not None and moment.time_s < self._scorer.config.longest_s:
            self._view.indices.append(moment.number)
            self._view.times_s.append(moment.time_s)
            self._view.frames.append(self._scorer.reduce(self._clip, frame, moment.number))

    def values(self, faces: Sequence[dict[str, Any]]) -> dict[str, Value]:
        """Values by metric; `faces` are the side's boxes, of which those of one face are taken, from as long as the scorer looks."""
        run = longest_run([face for face in faces if face["time_s"] < self._scorer.config.longest_s])
        if run and side_px(run) <= LEAST_SIDE_PX:
            return dict.fromkeys(
                SYNC[self._side], Value(reason=f"the face is {side_px(run):.0f} px large, and SyncNet is for larger ones than {LEAST_SIDE_PX} px")
            )
        view = replace(self._view, head={"faces": run, "backend": self._scorer.config.boxes})
        (found,) = self._scorer.score([view])
        if isinstance(found, Rejected):
            return dict.fromkeys(SYNC[self._side], Value(reason=found.detail))
        if found["confidence"] is None:
            needed = self._scorer.config.least_frames / 25
            return dict.fromkeys(SYNC[self._side], Value(reason=f"no face that is seen for {needed:g} s with sound"))
        return {metric: Value(abs(float(found[name])) if metric == "sync_offset" else float(found[name])) for metric, name in SYNC[self._side].items()}


def largest(backend: FaceBackend, frame: RGB | None) -> Face | None:
    """The face with the largest box."""
    found = backend.detect(frame) if frame is not None else []
    return max(found, key=lambda face: float((face.box[2] - face.box[0]) * (face.box[3] - face.box[1])), default=None)


def _chip(backend: FaceBackend, picture: RGB) -> RGB | None:
    face = largest(backend, picture)
    return backend.chip(picture, face) if face is not None else None
