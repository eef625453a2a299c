"""Clips that need no file: a wall of coloured grains that drifts, and a piece of another one that passes before it. Each is a function of its seed."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from udfs.scorer import RGB, Clip, Reduced, Scorer

FPS, FRAMES = 25.0, 125
WIDTH_PX, HEIGHT_PX = 960, 540
FASTEST_PX = 6
"""In each direction, a frame."""


def watched(scorer: Scorer, seed: int) -> Reduced:
    """What a scorer keeps of the clip `seed`, as if it had streamed past."""
    clip = Clip(f"textured-{seed}", f"textured-{seed}", "nowhere", 0.0, FRAMES / FPS, WIDTH_PX, HEIGHT_PX, FPS, False)
    picture, times_s, view = pictures(seed), [number / FPS for number in range(FRAMES)], Reduced(clip)
    for index in scorer.plan(clip, times_s):
        view.indices.append(index)
        view.times_s.append(times_s[index])
        view.frames.append(scorer.reduce(clip, picture(index), index))
    return view


def pictures(seed: int) -> Callable[[int], RGB]:
    """Gives the frame of a number, 0 to `FRAMES` - 1."""
    random = np.random.default_rng(seed)
    grain_px, contrast = int(random.choice((2, 4, 8, 16))), float(random.uniform(0.1, 1.0))
    down, right, pace = random.integers(-FASTEST_PX, FASTEST_PX + 1, 3).tolist()
    way = FASTEST_PX * (FRAMES - 1)
    behind = _wall(random, HEIGHT_PX + way, WIDTH_PX + way, grain_px, contrast)
    before = _wall(random, HEIGHT_PX // 3, WIDTH_PX // 4, 2 * grain_px, 1.0)
    start = int(random.integers(WIDTH_PX - before.shape[1]))

    def picture(index: int) -> RGB:
        top, left = (abs(speed) * (index if speed >= 0 else FRAMES - 1 - index) for speed in (down, right))
        frame = behind[top : top + HEIGHT_PX, left : left + WIDTH_PX].copy()
        place = (start + pace * index) % (WIDTH_PX - before.shape[1])
        frame[HEIGHT_PX // 3 : HEIGHT_PX // 3 + before.shape[0], place : place + before.shape[1]] = before
        return frame

    return picture


def _wall(random: np.random.Generator, height: int, width: int, grain_px: int, contrast: float) -> NDArray[np.uint8]:
    grains = random.integers(0, 256, (height // grain_px + 1, width // grain_px + 1, 3))
    colours = np.rint(127.5 + contrast * (grains - 127.5)).astype(np.uint8)
    return colours.repeat(grain_px, 0).repeat(grain_px, 1)[:height, :width]
