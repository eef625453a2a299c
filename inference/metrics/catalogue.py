"""Every metric by name: what it needs, which networks, which published convention it follows (metrics.md)."""

from collections.abc import Sequence
from dataclasses import dataclass

from inference.metrics.face_run import LEAST_SIDE_PX, OVERLAP
from inference.metrics.networks import FID, FVD, LPIPS
from inference.metrics.ssim import VARIANT
from schemas.errors import UsageError
from udfs import weights
from udfs.faces import dlib_landmarks
from udfs.faces.choose import face_backend, resolved
from udfs.fingerprint import fingerprint

REAL, PORTRAIT = "real video", "portrait"
FACES = "faces"
"""Stands for the weights of the face back end."""


@dataclass(frozen=True)
class Settings:
    """How videos are looked at: `fps` times a second, both at the same times; what runs a network on pictures takes every `stride`-th of these.

    `fvd_frames` consecutive ones make FVD's window. `faces` is the face back end, `side_px` the longer side of a frame as it sees it.
    """

    fps: float = 25.0
    stride: int = 5
    fvd_frames: int = 16
    faces: str = "auto"
    side_px: int = 640
    threshold: float = 0.5

    def with_backend(self) -> "Settings":
        """The same with `auto` resolved to the back end that is installed."""
        from dataclasses import replace

        return replace(self, faces=resolved(self.faces))


@dataclass(frozen=True)
class Metric:
    """`better` is `lower`, `higher` or empty where that has no answer. `needs` beside the generated video; `version` is raised when numbers change.

    `of_sets`: only a set has it, through features. `convention` may name fields of `Settings` in braces.
    """

    name: str
    title: str
    unit: str
    better: str
    convention: str
    needs: frozenset[str] = frozenset()
    weights: tuple[str, ...] = ()
    of_sets: bool = False
    version: int = 1

    def networks(self, settings: Settings) -> tuple[str, ...]:
        """Names of the weights that it uses, those of the face back end too."""
        faces = face_backend(settings.faces, settings.side_px, settings.threshold).weights if FACES in self.weights else ()
        return (*(name for name in self.weights if name != FACES), *faces)

    def lacking_weights(self, settings: Settings) -> list[str]:
        """Names of the weights that it uses and that are not there."""
        return [name for name in self.networks(settings) if not weights.available(name)]

    def lacks(self, settings: Settings) -> str:
        """The sentence that says which weights are missing; empty when all are there."""
        missing = self.lacking_weights(settings)
        return weights.missing_sentence(weights.entry(missing[0])) if missing else ""

    def fingerprint(self, settings: Settings) -> str:
        """What made its numbers: version, settings and the bytes of its networks (law 5)."""
        return fingerprint(f"evaluate:{self.name}", self.version, settings, {name: weights.sha256(name) for name in self.networks(settings)})

    def told(self, settings: Settings) -> str:
        """The convention, with the settings in words."""
        return self.convention.format(**vars(settings), every=settings.stride / settings.fps)


_PAIRED = "frame against the real frame of the same time, {fps:g} a second, the real one resized to the generated one's size"
_LPIPS = "LPIPS 0.1 on VGG16 (StyleGAN2-ADA's vgg16.pt, full size)"
_SYNC = (
    "SyncNet v2, shift 15, joonson's crop, boxes of {faces} (not S3FD: compare within one kind), longest track of the largest face every {every:g} s of the "
    f"first 30 s (boxes overlap by more than {OVERLAP:g}, mean side over {LEAST_SIDE_PX} px), at least 2 s"
)
_IDENTITY = "cosine of embeddings of {faces}, largest face, every {every:g} s"

METRICS: tuple[Metric, ...] = (
    Metric("l1", "L1", "0..1", "lower", f"mean |a - b| / 255, {_PAIRED}", frozenset({REAL})),
    Metric("psnr", "PSNR", "dB", "higher", f"mean of the frames' dB, {_PAIRED}", frozenset({REAL})),
    Metric("ssim", "SSIM", "-1..1", "higher", f"{VARIANT}; {_PAIRED}", frozenset({REAL})),
    Metric("lpips", "LPIPS", "", "lower", f"{_LPIPS}, every {{every:g}} s; {_PAIRED}", frozenset({REAL}), (LPIPS,)),
    Metric(
        "fid",
        "FID",
        "",
        "lower",
        "Inception 2015-12-05 (StyleGAN2-ADA's TorchScript), whole frames every {every:g} s, ddof 1; compare at equal N1 and N2 only",
        frozenset({REAL}),
        (FID,),
        of_sets=True,
    ),
    Metric(
        "fvd",
        "FVD",
        "",
        "lower",
        "I3D Kinetics-400 logits as StyleGAN-V (rescale, resize), one window of {fvd_frames} frames at {fps:g} a second in each video, "
        "which begins at the same time in both, at a share of their common length drawn from the name of the real video's file (of the generated one's "
        "where there is none), the same share for every model on one benchmark; whole frames, ddof 0; compare at equal N1 and N2 only",
        frozenset({REAL}),
        (FVD,),
        of_sets=True,
        version=2,
    ),
    Metric(
        "lmd",
        "LMD (mouth)",
        "px",
        "lower",
        "20 mouth points of dlib's 68 (not for commercial use), mean over points, each frame's mean taken away, px of the generated frame, every {every:g} s, "
        "boxes of {faces}",
        frozenset({REAL}),
        (dlib_landmarks.WEIGHTS, FACES),
    ),
    Metric(
        "lmd_interocular",
        "LMD / eye distance",
        "",
        "lower",
        "the same divided by the real frame's distance between the eyes",
        frozenset({REAL}),
        (dlib_landmarks.WEIGHTS, FACES),
    ),
    Metric("lse_c", "LSE-C (Sync-C)", "", "higher", f"{_SYNC}; mean over videos", weights=("syncnet", FACES), version=4),
    Metric("lse_d", "LSE-D (Sync-D)", "", "lower", f"{_SYNC}; mean over videos", weights=("syncnet", FACES), version=4),
    Metric("sync_offset", "|offset|", "frames of 1/25 s", "lower", f"mean of |offset|; {_SYNC}", weights=("syncnet", FACES), version=4),
    Metric("lse_c_real", "LSE-C of the real videos", "", "", _SYNC, frozenset({REAL}), ("syncnet", FACES), version=4),
    Metric("lse_d_real", "LSE-D of the real videos", "", "", _SYNC, frozenset({REAL}), ("syncnet", FACES), version=4),
    Metric("csim", "CSIM to the real frame", "-1..1", "higher", f"{_IDENTITY}, against the real frame of the same time", frozenset({REAL}), (FACES,)),
    Metric("csim_portrait", "CSIM to the portrait", "-1..1", "higher", f"{_IDENTITY}, against the portrait", frozenset({PORTRAIT}), (FACES,)),
    Metric("temporal_lpips", "temporal LPIPS", "", "", f"{_LPIPS} of a frame and the next, every {{every:g}} s; a still picture has 0", weights=(LPIPS,)),
    Metric(
        "temporal_lpips_real",
        "temporal LPIPS of the real videos",
        "",
        "",
        f"{_LPIPS} of a frame and the next, every {{every:g}} s",
        frozenset({REAL}),
        (LPIPS,),
    ),
)
BY_NAME = {metric.name: metric for metric in METRICS}


def chosen(names: Sequence[str]) -> tuple[Metric, ...]:
    """The metrics called `names`, all without any, in the catalogue's order. Raises `UsageError` for a name that is none."""
    for name in names:
        if name not in BY_NAME:
            raise UsageError(f"there is no metric {name!r}; there are {', '.join(BY_NAME)}")
    return tuple(metric for metric in METRICS if not names or metric.name in names)
