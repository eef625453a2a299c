"""Tiny videos for tests."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from udfs.footage import portrait, voice
from udfs.footage.encoder import X264, write_video

KINDS = ("portrait", "texture", "still", "noise", "black")
SOUNDS = ("speech", "tone", "silence", None)


def tiny_video(
    path: Path,
    seconds: float = 2.0,
    size: tuple[int, int] = (320, 240),
    fps: float = 25.0,
    kind: str = "portrait",
    audio: str | None = "speech",
    *,
    shots: int = 1,
    seed: int = 0,
    video_options: Mapping[str, Any] = X264,
) -> Path:
    """Write a small video and return its path; deterministic.

    `kind`: `portrait` (the moving face), `texture` (a grey texture that drifts by 1 px a frame to the right), `still` (the face as a
    photograph), `noise`, `black`. `audio`: `speech`, `tone`, `silence`, or None for no audio stream. `shots` equal shots
    are divided by hard cuts. The container follows the path's extension.
    """
    count = round(seconds * fps)
    sound = {"speech": voice.speech, "tone": voice.tone, "silence": voice.room_noise}[audio](seconds) if audio else None
    return write_video(Path(path), _frames(kind, count, size, fps, shots, seed), fps, sound, video_options)


def _frames(kind: str, count: int, size: tuple[int, int], fps: float, shots: int, seed: int) -> Iterator[portrait.Picture]:
    for shot in range(shots):
        length = count * (shot + 1) // shots - count * shot // shots
        tint = [(1.0, 1.0, 1.0), (0.55, 0.85, 1.0), (1.0, 0.75, 0.45)][shot % 3]
        yield from _shot(kind, length, size, fps, seed + shot, portrait.Pose(mirrored=shot % 2 == 1, face_width=0.2 + 0.06 * (shot % 3), tint=tint))


def _shot(kind: str, count: int, size: tuple[int, int], fps: float, seed: int, pose: portrait.Pose) -> Iterator[portrait.Picture]:
    width, height = size
    random = np.random.default_rng(seed)
    if kind == "portrait":
        yield from portrait.frames(pose, size, fps, np.zeros(count, np.float32), seed)
    elif kind == "still":
        yield from [next(portrait.frames(pose, size, fps, np.zeros(1, np.float32), seed))] * count
    elif kind == "texture":
        grey = cv2.GaussianBlur(random.integers(0, 256, (height, width + count), dtype=np.uint8), (0, 0), 2)
        wide = cv2.cvtColor(cv2.normalize(grey, None, 0, 255, cv2.NORM_MINMAX), cv2.COLOR_GRAY2RGB)
        yield from (wide[:, count - index : count - index + width] for index in range(count))
    elif kind == "noise":
        yield from (random.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(count))
    elif kind == "black":
        yield from [np.zeros((height, width, 3), np.uint8)] * count
    else:
        raise ValueError(f"unknown kind {kind!r}; one of {', '.join(KINDS)}")
