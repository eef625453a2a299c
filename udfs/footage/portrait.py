"""The one face of the made-up footage, put in gentle motion like a talking head."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

_HEADROOM = 100
"""Rows of backdrop added above the portrait, in px."""
FACE_CENTRE = (224.0, 120.0 + _HEADROOM)
"""Middle of the face in the portrait, x and y in px."""
FACE_WIDTH = 100.0
"""Width of the face in the portrait, in px."""
_MOUTH = (225.0, 151.0 + _HEADROOM)
_JAW_DROP = 7.0
"""How far the open mouth pulls the lower lip down, in px of the portrait."""


@dataclass(frozen=True)
class Pose:
    """Where the face is in the frame: its middle and width as shares of the frame's width and height, and its motion.

    `sway` scales the slow motion (1: a calm speaker, 0: a photograph), `shake` is the random jump of each frame as a
    share of the frame's width.
    """

    centre: tuple[float, float] = (0.5, 0.38)
    face_width: float = 0.2
    sway: float = 1.0
    shake: float = 0.0
    mirrored: bool = False
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    speaks: bool = True


@cache
def portrait() -> Picture:
    """NASA's portrait of Eileen Collins with some backdrop added above, 512x612 RGB, in the public domain."""
    from skimage import data

    return cv2.copyMakeBorder(data.astronaut(), _HEADROOM, 0, 0, 0, cv2.BORDER_REPLICATE)


def frames(pose: Pose, size: tuple[int, int], fps: float, loudness: NDArray[np.float32], seed: int) -> Iterator[Picture]:
    """One frame of (width, height) `size` for each value of `loudness` (0..1: how far the mouth is open)."""
    random = np.random.default_rng(seed)
    phase = random.uniform(0, 2 * np.pi, 5)
    picture = np.clip(portrait() * np.array(pose.tint, np.float32), 0, 255).astype(np.uint8)
    for index, open_ in enumerate(loudness):
        slow = pose.sway * np.sin(2 * np.pi * np.array([0.23, 0.17, 0.31, 0.11, 0.43]) * index / fps + phase)
        jump = random.normal(0, 1, 3) * pose.shake
        spoken = _open_mouth(picture, float(open_)) if pose.speaks else picture
        yield cv2.warpAffine(spoken, _placed(pose, size, slow, jump), size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def _placed(pose: Pose, size: tuple[int, int], slow: NDArray[np.float64], jump: NDArray[np.float64]) -> NDArray[np.float64]:
    """The 2x3 matrix from the portrait to the frame."""
    width, height = size
    scale = pose.face_width * width / FACE_WIDTH * (1 + 0.02 * slow[0])
    turn = np.deg2rad(2.0 * slow[1] + 40 * jump[2])
    x = width * (pose.centre[0] + 0.012 * slow[2] + jump[0])
    y = height * (pose.centre[1] + 0.010 * slow[3] + jump[1])
    flip = -1.0 if pose.mirrored else 1.0
    linear = scale * np.array([[np.cos(turn) * flip, -np.sin(turn)], [np.sin(turn) * flip, np.cos(turn)]])
    shift = np.array([x, y]) - linear @ np.array(FACE_CENTRE)
    return np.column_stack([linear, shift])


def _open_mouth(picture: Picture, open_: float) -> Picture:
    """The portrait with the lower lip and chin pulled down by `open_` (0..1)."""
    if open_ <= 0.02:
        return picture
    left, top, right, bottom = 175, 125 + _HEADROOM, 275, 215 + _HEADROOM
    x, y = np.meshgrid(np.arange(left, right, dtype=np.float32), np.arange(top, bottom, dtype=np.float32))
    below = np.clip((y - _MOUTH[1]) / 6, 0, 1)
    pull = _JAW_DROP * open_ * below * np.exp(-(((x - _MOUTH[0]) / 26) ** 2) - (((y - _MOUTH[1]) / 26) ** 2))
    moved = picture.copy()
    moved[top:bottom, left:right] = cv2.remap(picture, x, y - pull.astype(np.float32), cv2.INTER_LINEAR)
    return moved
