"""The demo's sample corpus: a few good files, and one bad file for each rule it is meant to show."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np

from schemas.codes import CODES
from udfs.footage import voice
from udfs.footage.encoder import write_video
from udfs.footage.portrait import Picture, Pose, frames

SIZE = (640, 480)
FPS = 25.0

SAMPLES: dict[str, str] = {
    "talking.mp4": "kept",
    "three shots.mp4": "kept",
    "silent.mp4": "speech",
    "frozen.mp4": "frozen",
    "shaky.mp4": "shake",
    "blurred.mp4": "sharpness",
    "tiny-face.mp4": "avg_resolution",
    "two-faces.mp4": "face_consistency",
    "talking_copy.mp4": "duplicate",
    "broken.mp4": "truncated",
}
"""What becomes of each sample under policy `lite`: `kept`, the rule that drops it, `duplicate`, or its failure code."""


def make_footage(folder: Path, seconds: float = 6.0) -> dict[str, str]:
    """Write the samples that are not in `folder` yet and return `SAMPLES`.

    Deterministic; takes about 10 s on one core for shots of 6 s. Raises `MissingError` without ffmpeg or a voice.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, make) in enumerate(_MAKERS.items()):
        if not (folder / name).exists():
            make(folder / name, seconds, number)
    whole = (folder / "talking.mp4").read_bytes()
    for name, content in (("talking_copy.mp4", whole), ("broken.mp4", whole[: len(whole) // 2])):
        if not (folder / name).exists():
            (folder / name).write_bytes(content)
    return dict(SAMPLES)


def _one_shot(path: Path, seconds: float, number: int, pose: Pose, change: Callable[[Picture], Picture] | None = None, silent: bool = False) -> None:
    sound = voice.room_noise(seconds, number) if silent else voice.speech(seconds, number)
    mouth = voice.loudness(None if silent else sound, round(seconds * FPS), FPS)
    pictures = frames(pose, SIZE, FPS, mouth, number)
    write_video(path, map(change, pictures) if change else pictures, FPS, sound)


def _three_shots(path: Path, seconds: float, number: int) -> None:
    length = max(round(seconds * FPS * 2 / 3), round(3.6 * FPS))
    sound = voice.speech(3 * length / FPS, number)
    mouth = voice.loudness(sound, 3 * length, FPS)
    poses = (Pose(), Pose(mirrored=True, face_width=0.27, tint=(0.6, 0.85, 1.0)), Pose(centre=(0.44, 0.4), face_width=0.22, tint=(1.0, 0.78, 0.5)))

    def shots() -> Iterator[Picture]:
        for index, pose in enumerate(poses):
            yield from frames(pose, SIZE, FPS, mouth[index * length : (index + 1) * length], number + index)

    write_video(path, shots(), FPS, sound)


def _two_faces(path: Path, seconds: float, number: int) -> None:
    sound = voice.speech(seconds, number)
    mouth = voice.loudness(sound, round(seconds * FPS), FPS)
    half = (SIZE[0] // 2, SIZE[1])
    speaker = frames(Pose(face_width=0.34), half, FPS, mouth, number)
    listener = frames(Pose(face_width=0.34, mirrored=True, speaks=False, tint=(0.95, 0.9, 0.8)), half, FPS, mouth, number + 50)
    write_video(path, (np.hstack(pair) for pair in zip(speaker, listener, strict=True)), FPS, sound)


def _blurred(picture: Picture) -> Picture:
    return cv2.GaussianBlur(picture, (0, 0), 5)


@cache
def _launch_pad() -> Picture:
    """A photograph of a rocket on its pad, in the public domain, filling the frame."""
    from skimage import data

    return cv2.resize(data.rocket(), SIZE, interpolation=cv2.INTER_AREA)


def _far_away(path: Path, seconds: float, number: int) -> None:
    sound = voice.speech(seconds, number)
    mouth = voice.loudness(sound, round(seconds * FPS), FPS)
    inset = (168, 224)
    left, top = 400, SIZE[1] - inset[1]

    def scene() -> Iterator[Picture]:
        for person in frames(Pose(face_width=0.24, centre=(0.5, 0.3)), inset, FPS, mouth, number):
            picture = _launch_pad().copy()
            picture[top:, left : left + inset[0]] = person
            yield picture

    write_video(path, scene(), FPS, sound)


_MAKERS: dict[str, Callable[[Path, float, int], None]] = {
    "talking.mp4": partial(_one_shot, pose=Pose()),
    "three shots.mp4": _three_shots,
    "silent.mp4": partial(_one_shot, pose=Pose(mirrored=True), silent=True),
    "frozen.mp4": partial(_one_shot, pose=Pose(face_width=0.23, sway=0.0, speaks=False)),
    "shaky.mp4": partial(_one_shot, pose=Pose(shake=0.02)),
    "blurred.mp4": partial(_one_shot, pose=Pose(tint=(1.0, 0.9, 0.85)), change=_blurred),
    "tiny-face.mp4": _far_away,
    "two-faces.mp4": _two_faces,
}


def write_labels(path: Path, folder: Path) -> None:
    """Write a labels CSV for the samples in `folder` that are videos; `folder` lies beside or below the CSV."""
    videos = [name for name, fate in SAMPLES.items() if fate not in CODES]
    rows = [f"{(folder / name).relative_to(path.parent)},en,eileen-collins,31-45,Female,sample" for name in videos]
    path.write_text("\n".join(["uri,language,speaker_id,age_group,gender,category", *rows, ""]), encoding="utf-8")
