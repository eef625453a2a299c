"""Scorer `dover`: aesthetic and technical quality by DOVER (dover.md; as TalkVid ran it: talkvid.md §2)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.scores import DOVER
from udfs import weights
from udfs.nets.dover.sampling import PATCH_PX, Sampling, sample
from udfs.nets.dover.scores import dover_scores, overall
from udfs.nets.dover.views import mosaic, resized
from udfs.nets.onnx_session import onnx_device
from udfs.recent import RecentPlans
from udfs.scorer import RGB, Clip, Device, Outcome, Reduced

Views = NDArray[np.uint8]


@dataclass(frozen=True)
class DoverConfig:
    """`antialias`: resize the aesthetic view as TalkVid's torchvision did; without, as DOVER's published scores were made.

    `onnx`: run the export `dover-onnx` (inputs `aes_view`, `tech_view`) in place of the checkpoint; on a CPU it takes 6 GiB.
    """

    antialias: bool = False
    onnx: bool = False


@dataclass(frozen=True, slots=True)
class Pieces:
    """What is kept of a frame, 224 x 224 x 3 each: the mosaic for each technical segment it serves, and the whole frame resized."""

    mosaics: dict[int, RGB] = field(default_factory=dict)
    whole: RGB | None = None


class Judge(Protocol):
    """Whatever runs the network."""

    def __call__(self, aesthetic: Views, technical: Views) -> tuple[list[float], list[float]]:
        """(V, 32, 224, 224, 3) and (3 V, 32, 224, 224, 3) views, not normalised -> raw aesthetic and technical scores of V clips."""


class Dover:
    """Raw scores, the fused score, and `dover_scores` as released. All None for a picture smaller than one fragment.

    The original draws frames and fragments anew at every run; here they follow from the clip id.
    """

    name = "dover"
    version = 1
    needs: frozenset[str] = frozenset()

    def __init__(self, config: DoverConfig = DoverConfig()) -> None:
        self.config = config
        self.weights: tuple[str, ...] = ("dover-onnx" if config.onnx else "dover",)
        self._samplings = RecentPlans[Sampling]()
        self._judge: Judge | None = None
        self._batch = 1

    def runs_on(self, device: Device) -> Device:
        """The device, in either dtype; an export is float32."""
        return onnx_device(device) if self.config.onnx else device

    def setup(self, device: Device) -> None:
        """Load the network. Raises `MissingError` when its weights are not there, `VerificationError` when they are others."""
        path = weights.path(self.weights[0])
        if self.config.onnx:
            from udfs.nets.dover.onnx_session import OnnxJudge

            self._judge = OnnxJudge(path, device)
            return
        from udfs.nets.dover.torch_session import TorchJudge

        self._judge = TorchJudge(path, device)
        self._batch = device.clips_at_once

    def plan(self, clip: Clip, pts: Sequence[float]) -> list[int]:
        """At most 128 frames: three technical segments of 32, every second frame, and 32 spread evenly."""
        if not pts or _too_small(clip):
            return []
        sampling = sample(clip.clip_id, len(pts), clip.height_px, clip.width_px)
        self._samplings.keep(clip, sampling)
        return sorted({*sampling.technical.tolist(), *sampling.aesthetic.tolist()})

    def reduce(self, clip: Clip, frame: RGB, index: int) -> Pieces:
        """Cut the fragments and resize, at most 0.6 MB a frame."""
        sampling = self._samplings.of(clip)
        segments = np.unique(np.flatnonzero(sampling.technical == index) // (len(sampling.technical) // len(sampling.rows))).tolist()
        mosaics = {segment: mosaic(frame, sampling.rows[segment], sampling.columns[segment]) for segment in segments}
        return Pieces(mosaics, resized(frame, antialias=self.config.antialias) if index in sampling.aesthetic else None)

    def score(self, clips: list[Reduced]) -> list[Outcome]:
        """Values of `schemas.scores.DOVER`, one dict per clip."""
        outcomes: list[Outcome] = [dict.fromkeys(column.name for column in DOVER) for _ in clips]
        usable = [number for number, clip in enumerate(clips) if clip.frames]
        for batch in (usable[start : start + self._batch] for start in range(0, len(usable), self._batch)):
            for number, values in zip(batch, self._scored([clips[number] for number in batch])):
                outcomes[number] = values
        return outcomes

    def _scored(self, clips: list[Reduced]) -> Iterator[dict[str, float]]:
        views = [self._views(clip) for clip in clips]
        views += [views[-1]] * (self._batch - len(clips))  # all batches have one shape (law 8)
        assert self._judge is not None
        raw = self._judge(np.stack([aesthetic for aesthetic, _ in views]), np.concatenate([technical for _, technical in views]))
        for aesthetic, technical, _ in zip(*raw, clips):
            yield {
                "aesthetic": aesthetic,
                "technical": technical,
                "overall": overall(aesthetic, technical),
                "dover_scores": dover_scores(aesthetic),
            }

    def _views(self, clip: Reduced) -> tuple[Views, Views]:
        """(32, 224, 224, 3) and (3, 32, 224, 224, 3)."""
        sampling = self._samplings.of(clip.clip)
        pieces: dict[int, Pieces] = dict(zip(clip.indices, clip.frames, strict=True))
        whole = np.stack([pieces[index].whole for index in sampling.aesthetic.tolist()])
        segments = [
            np.stack([pieces[index].mosaics[segment] for index in indices])
            for segment, indices in enumerate(sampling.technical.reshape(len(sampling.rows), -1).tolist())
        ]
        return whole, np.stack(segments)


def _too_small(clip: Clip) -> bool:
    return min(clip.height_px, clip.width_px) < PATCH_PX
