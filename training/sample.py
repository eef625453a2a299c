"""One training sample: which frames of a clip, and what becomes of its row (vexpress.md §6.3, §7.3, §11.5; talkvid.md §8.3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.errors import TalkvidError
from training.batch import SampleKey
from training.clip_frames import UndecodableError, decode_runs
from training.face_masks import Box, box_mask
from training.keypoint_image import draw_keypoints

LATENT_PX = 8
"""Pixels of a picture, in each direction, for one of a latent or mask."""
LATENT_CHANNELS = 8
"""Mean and logarithm of the variance of four channels."""
AUDIO_ROWS = 10

COLUMNS = ("clip_id", "frames", "fps", "side_px", "keypoints", "lip_boxes", "audio_features", "audio_rows", "audio_width")


@dataclass(frozen=True)
class SampleSettings:
    """How samples are cut out of clips. `flip` is the probability of mirroring; `reference_margin` how many frames lie at least
    between the targets and the reference, on either side of them."""

    seed: int
    frames: int
    flip: float = 0.5
    reference_margin: int = 30

    @property
    def shortest(self) -> int:
        """Frames that a clip needs to hold a sample: the targets, the margin on one side, the reference."""
        return self.frames + self.reference_margin + 1


def choose(clip_id: str, clip_frames: int, settings: SampleSettings, epoch: int, index: int) -> SampleKey:
    """The frames of sample `index`, by draws that depend on (seed, epoch, index) alone.

    The first target is uniform among those that leave room for a reference, the reference uniform among the frames that far away.
    (Upstream draws any first target and passes to another clip when it leaves no room.) `clip_frames` is at least `shortest`.
    """
    count, margin = settings.frames, settings.reference_margin
    draws = np.random.Generator(np.random.PCG64(np.random.SeedSequence((settings.seed, epoch, index)))).random(3)
    starts = [first for first in range(clip_frames - count + 1) if first > margin or first + count + margin < clip_frames]
    first = starts[int(draws[0] * len(starts))]
    before, after = max(0, first - margin), max(0, clip_frames - first - count - margin)
    reference = int(draws[1] * (before + after))
    reference = reference if reference < before else first + count + margin + reference - before
    return SampleKey(clip_id, epoch, index, first, reference, bool(draws[2] < settings.flip))


@dataclass(frozen=True)
class SampleShape:
    """Sizes of a batch's arrays. `side` is of pictures, in px; `latents` says that moments take the pictures' place."""

    batch: int
    frames: int
    side: int
    audio_width: int
    latents: bool = False

    def arrays(self) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
        """Shape and type of each array; of pictures and moments the reference is the last."""
        b, f, s, m = self.batch, self.frames, self.side, self.side // LATENT_PX
        pictures = (
            {"moments": ((b, f + 1, LATENT_CHANNELS, m, m), np.dtype(np.float16))} if self.latents else {"pictures": ((b, f + 1, s, s, 3), np.dtype(np.uint8))}
        )
        return pictures | {
            "keypoints": ((b, f, s, s, 3), np.dtype(np.uint8)),
            "audio": ((b, f, AUDIO_ROWS, self.audio_width), np.dtype(np.float32)),
            "masks": ((b, f, m, m), np.dtype(np.uint8)),
        }


def columns_of(latents: bool) -> tuple[str, ...]:
    """What is read of a row: the clip's latents, or its video."""
    return (*COLUMNS, "latents" if latents else "video")


def make(row: Mapping[str, Any], key: SampleKey, arrays: Mapping[str, NDArray], slot: int) -> None:
    """Fill place `slot` of a batch's arrays with the sample `key` of a row of `samples` (lists as bytes).

    One decision to mirror holds for frames, reference, key points and masks; cached latents are of pictures that are not mirrored,
    so they are refused for such a key. Raises `TalkvidError` naming the clip when its row does not hold what it promises.
    """
    try:
        _check(row, key)
        if "pictures" in arrays:
            _pictures(row, key, arrays["pictures"][slot])
        else:
            _moments(row, key, arrays["moments"][slot])
        _keypoints(row, key, arrays["keypoints"][slot])
        _audio(row, key, arrays["audio"][slot])
        _masks(row, key, arrays["masks"][slot], int(row["side_px"]))
    except (UndecodableError, ValueError) as error:
        raise TalkvidError(f"clip {key.clip_id}: its row in samples is damaged, prepare it anew ({error})") from error


def _check(row: Mapping[str, Any], key: SampleKey) -> None:
    for name in ("keypoints", "lip_boxes", "audio_features"):
        if not isinstance(row[name], bytes):
            raise ValueError(f"{name} is missing")


def _targets(key: SampleKey, count: int) -> range:
    return range(key.first_frame, key.first_frame + count)


def _pictures(row: Mapping[str, Any], key: SampleKey, into: NDArray[np.uint8]) -> None:
    import cv2

    targets, reference = _targets(key, len(into) - 1), range(key.reference_frame, key.reference_frame + 1)
    decode_runs(row["video"], (targets, reference), float(row["fps"]), into)
    if key.flipped:
        for picture in into:
            cv2.flip(picture, 1, dst=picture)


def _moments(row: Mapping[str, Any], key: SampleKey, into: NDArray[np.float16]) -> None:
    if key.flipped:
        raise ValueError("cached latents cannot be mirrored")
    if not isinstance(row["latents"], bytes):
        raise ValueError("latents are missing: talkvid prepare --cache-latents")
    moments = np.frombuffer(row["latents"], np.float16).reshape(int(row["frames"]), *into.shape[1:])
    into[:-1] = moments[key.first_frame : key.first_frame + len(into) - 1]
    into[-1] = moments[key.reference_frame]


def _keypoints(row: Mapping[str, Any], key: SampleKey, into: NDArray[np.uint8]) -> None:
    points = np.frombuffer(row["keypoints"], np.float32).reshape(int(row["frames"]), 5, 2)
    for place, frame in enumerate(_targets(key, len(into))):
        draw_keypoints(points[frame], *into.shape[1:3], into=into[place], mirrored=key.flipped)


def _audio(row: Mapping[str, Any], key: SampleKey, into: NDArray[np.float32]) -> None:
    import torch

    from training.audio_windows import frame_windows, stretched

    features = np.frombuffer(row["audio_features"], np.float16).reshape(int(row["audio_rows"]), into.shape[-1])
    rows = stretched(torch.from_numpy(features.astype(np.float32)), int(row["frames"]))
    into[:] = frame_windows(rows, _targets(key, len(into))).numpy()


def _masks(row: Mapping[str, Any], key: SampleKey, into: NDArray[np.uint8], side: int) -> None:
    boxes = np.frombuffer(row["lip_boxes"], np.float32).reshape(int(row["frames"]), 4)
    for place, frame in enumerate(_targets(key, len(into))):
        mask = box_mask(Box(*boxes[frame].tolist()), (side, side), into.shape[1:])
        into[place] = mask[:, ::-1] if key.flipped else mask
