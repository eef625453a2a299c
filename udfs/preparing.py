"""Curated clips as training samples: a worker of `jobs.batches`, spans in, names of files with samples out (vexpress.md §12).

A clip is decoded twice: once to follow its face, and once, when the crop is known, to write it. Frame k of a sample is the clip's frame
nearest to k / 25 s, and its sound ends with its last frame, so the two stay together whatever the frame rate of the source.
"""

import itertools
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.codes import Rejected
from schemas.ledger import now
from udfs import media, speech_features, weights
from udfs.device import claim
from udfs.displayed import sized
from udfs.encode import Encoding, encoded
from udfs.face_track import FaceFinder, FaceTrack, FaceTracker, TrackConfig, square_crop
from udfs.faces import dlib_mouth
from udfs.faces.choose import face_backend, resolved
from udfs.fingerprint import fingerprint
from udfs.nets.onnx_session import onnx_device
from udfs.registered import Registered
from udfs.sample_files import Result, SampleFiles, failed
from udfs.sampling import nearest
from udfs.score_worker import item_clip
from udfs.scorer import RGB, Clip
from udfs.speech_features import SpeechEncoder

VERSION = 3
"""Raised when the same clip gives another sample."""

FPS = 25.0
SMOKE_SIDE_PX = 128
LABELS = ("speaker_id", "language", "age_group", "gender", "ethnicity", "category", "labels_source")
"""Columns of `clip_metadata` that go with a sample."""


@dataclass(frozen=True)
class PrepareSettings:
    """What shapes a sample. `face_backend` and `landmarks` as `udfs.faces.choose` and the flag `--landmarks` name them; `detector_px` is the
    longer side of a frame as the detector sees it, `threshold` a face's least score. `smoke`: random networks and small pictures."""

    face_backend: str = "auto"
    landmarks: str = "auto"
    smoke: bool = False
    side_px: int = 512
    detector_px: int = 640
    threshold: float = 0.5
    track: TrackConfig = field(default_factory=TrackConfig)
    encoding: Encoding = field(default_factory=Encoding)

    @classmethod
    def of(cls, landmarks: str = "auto", smoke: bool = False) -> "PrepareSettings":
        """The settings of a command line, the face back end being what is installed."""
        return cls(resolved("auto"), landmarks, smoke, SMOKE_SIDE_PX if smoke else cls.side_px)

    @property
    def fingerprint(self) -> str:
        """Version, settings and weights. Raises `MissingError` where weights are not there, in one sentence."""
        names = [*face_backend(self.face_backend, self.detector_px, self.threshold).weights]
        names += [dlib_mouth.WEIGHTS] if self.landmarks == "dlib68" else []
        hashes = {name: weights.sha256(name) for name in names}
        return fingerprint("prepare", VERSION, self, hashes | {speech_features.WEIGHTS: speech_features.fingerprint(smoke=self.smoke)})


@dataclass(frozen=True)
class PreparePlan:
    """What the workers of a run do. `root` is the address of `samples`; `device` is `cpu` or `cuda`."""

    settings: PrepareSettings
    fingerprint: str
    root: str
    run_id: str
    device: str = "cpu"
    threads: int = 1


@dataclass(frozen=True)
class Tools:
    """The networks of a worker process."""

    finder: FaceFinder
    speech: SpeechEncoder


@lru_cache(maxsize=1)
def load_tools(settings: PrepareSettings, device: str, threads: int = 1) -> Tools:
    """The networks that settings ask for, once per process."""
    import cv2

    cv2.setNumThreads(threads)
    claimed = claim(device, threads)
    finder = face_backend(settings.face_backend, settings.detector_px, settings.threshold)
    finder.setup(onnx_device(claimed))
    mouths = dlib_mouth.WithDlibMouth(finder) if settings.landmarks == "dlib68" else finder
    return Tools(mouths, SpeechEncoder.load(claimed, settings.smoke))


def prepare_items(plan: PreparePlan, items: list[dict[str, Any]]) -> Iterator[Result]:
    """Prepare each item, a row of `clip_metadata` with `audio_uri` and `registered` beside. Neighbouring items of one video share its staged copy."""
    tools = load_tools(plan.settings, plan.device, plan.threads)
    files = SampleFiles(plan.root)
    for (uri, registered), together in itertools.groupby(enumerate(items), key=lambda pair: (pair[1]["uri"], pair[1].get("registered"))):
        group = list(together)
        try:
            with media.staged(uri, Registered.read(registered)) as path:
                for index, item in group:
                    row = _guarded(plan, tools, item, path)
                    yield from [(index, failed(item["clip_id"], row))] if isinstance(row, Rejected) else files.put(index, row)
        except Rejected as rejection:
            yield from ((index, failed(item["clip_id"], rejection)) for index, item in group)
    yield from files.close()


def died(item: dict[str, Any]) -> list[dict[str, Any]]:
    """The row of a clip that killed its Python process twice."""
    return failed(item["clip_id"], Rejected("worker_died", "the process that prepared this clip died, and again when it had the clip alone"))


def _guarded(plan: PreparePlan, tools: Tools, item: dict[str, Any], path: Path) -> dict[str, Any] | Rejected:
    """The clip's row; an unexpected error becomes a `Rejected`, its traceback goes to the log."""
    try:
        row = prepare_clip(item_clip(item), path, tools, plan.settings)
    except Rejected as rejection:
        return rejection
    except Exception as error:  # noqa: BLE001 - one clip must not end the job; the row names what happened
        traceback.print_exc(file=sys.stderr)
        return Rejected("internal", f"{type(error).__name__}: {error}")
    return row | {name: item[name] for name in LABELS} | {"fingerprint": plan.fingerprint, "run_id": plan.run_id, "prepared_at": now()}


def prepare_clip(clip: Clip, path: Path, tools: Tools, settings: PrepareSettings) -> dict[str, Any]:
    """The columns of `samples` that come from the clip itself; `path` is the local copy of its video.

    Raises `Rejected`: `no_audio`, `no_face`, `truncated` for less than one frame of 1/25 s, and as `udfs.media.frames` and `audio_16k`.
    """
    if not clip.has_audio and clip.audio_uri is None:
        raise Rejected("no_audio", "the clip has no sound, so lips cannot be learnt from it")
    clip = sized(clip, path)
    times_s = media.frame_times(path)
    frames = whole_frames(clip.end_s - clip.start_s)
    sources = nearest_frames(times_s, clip, frames)
    track, lip_source = follow(clip, path, sources, tools, settings)
    inner = square_crop(track.boxes, clip.width_px, clip.height_px)
    left, top = clip.crop[:2] if clip.crop else (0, 0)
    crop = (left + inner[0], top + inner[1], left + inner[2], top + inner[3])
    video = encoded(pictures(path, clip, sources, crop, settings.side_px), settings.side_px, FPS, settings.encoding)
    features = tools.speech.encode(sound_of(clip, path, frames)).astype(np.float16)
    placed = track.in_crop(inner, settings.side_px)
    return {
        "clip_id": clip.clip_id,
        "video_id": clip.video_id,
        "frames": frames,
        "fps": FPS,
        "side_px": settings.side_px,
        "video": video,
        "keypoints": placed.keypoints.ravel(),
        "boxes": placed.boxes.ravel(),
        "lip_boxes": placed.lip_boxes.ravel(),
        "interpolated": placed.interpolated.astype(np.int32),
        "lip_source": lip_source,
        "audio_features": features.tobytes(),
        "audio_rows": features.shape[0],
        "audio_width": features.shape[1],
        "crop": list(crop),
        "face_backend": settings.face_backend,
        "duration_s": frames / FPS,
    }


def whole_frames(duration_s: float) -> int:
    """How many frames of 1/25 s lie wholly in a clip. Raises `Rejected("truncated")` when none does."""
    frames = int(duration_s * FPS + 1e-6)
    if frames < 1:
        raise Rejected("truncated", f"the clip lasts {duration_s:.3f} s, less than one frame of 1/{FPS:g} s")
    return frames


def nearest_frames(times_s: NDArray[np.float64], clip: Clip, frames: int) -> list[int]:
    """For each frame k of the sample the clip's source frame (0 = its first) that is nearest to k / 25 s."""
    first, after = media.span(times_s, clip.start_s, clip.end_s)
    if first >= after:
        raise Rejected("truncated", f"the video has no frames between {clip.start_s:.3f} s and {clip.end_s:.3f} s")
    own = (times_s[first:after] - clip.start_s).tolist()
    return [nearest(own, k / FPS) for k in range(frames)]


def follow(clip: Clip, path: Path, sources: Sequence[int], tools: Tools, settings: PrepareSettings) -> tuple[FaceTrack, str]:
    """The clip's face, and what its lip boxes are made of."""
    tracker = FaceTracker(tools.finder, len(sources), settings.track)
    for picture, is_new in _each(_decoded(path, clip, sources, clip.crop), sources):
        if is_new:
            tracker.see(picture)
        else:
            tracker.see_again()
    known = "dlib68" if settings.landmarks == "dlib68" else "landmarks106"
    return tracker.track(), known if tracker.outlined else "mouth_corners"


def pictures(path: Path, clip: Clip, sources: Sequence[int], crop: tuple[int, int, int, int], side_px: int) -> Iterator[RGB]:
    """Each frame of the sample: cut to `crop` and resized, by area where it gets smaller."""
    import cv2

    shrinks = crop[2] - crop[0] > side_px
    resized: RGB | None = None
    for picture, is_new in _each(_decoded(path, clip, sources, crop), sources):
        if is_new or resized is None:
            resized = cv2.resize(picture, (side_px, side_px), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        yield resized


def sound_of(clip: Clip, path: Path, frames: int) -> NDArray[np.float32]:
    """The clip's sound at 16 kHz, 640 samples for each of `frames` frames."""
    end_s = clip.start_s + frames / FPS
    with media.staged(clip.audio_uri) if clip.audio_uri else nullcontext(path) as heard:
        return media.audio_16k(heard, clip.start_s, end_s)


def _decoded(path: Path, clip: Clip, sources: Sequence[int], crop: tuple[int, int, int, int] | None) -> Iterator[tuple[int, RGB]]:
    return media.frames(path, media.frame_times(path), clip.start_s, clip.end_s, sorted(set(sources)), crop=crop)


def _each(stream: Iterable[tuple[int, RGB]], sources: Sequence[int]) -> Iterator[tuple[RGB, bool]]:
    """(picture, whether it is another than before) for each of `sources`; one that damage took is the one before, at the start the next."""
    coming = iter(stream)
    ahead = next(coming, None)
    held: RGB | None = None
    for source in sources:
        is_new = False
        while ahead is not None and (ahead[0] <= source or held is None):
            held, is_new = ahead[1], True
            ahead = next(coming, None)
        assert held is not None
        yield held, is_new
