"""Scorer `technical`: sharpness, noise, exposure, contrast, blockiness, letterbox. Needs no weights; cheap enough to come first."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

import numpy as np

from udfs import picture_quality as quality
from udfs.luma import at_480_lines, luma
from udfs.sampling import middles, nearest_each
from udfs.scorer import RGB, Clip, Device, Outcome, Reduced


@dataclass(frozen=True)
class TechnicalConfig:
    """`frames_per_s` looked at, at most `frames_max` of a clip, in the middle of equal parts of it."""

    frames_per_s: float = 2.0
    frames_max: int = 40


@dataclass(frozen=True, slots=True)
class FrameQuality:
    """Measures of one frame; `lit_rows` and `lit_columns` are `picture_quality.lit_shares`."""

    sharpness: float
    noise: float
    exposure: float
    contrast: float
    blockiness: float
    lit_rows: quality.Shares
    lit_columns: quality.Shares


class Technical:
    """Medians over frames of each measure; exposure is the mean; letterbox is the border dark in every frame.

    Formulas and ranges: `udfs/picture_quality.py`. A clip without a frame has None everywhere.
    """

    name = "technical"
    version = 1
    needs: frozenset[str] = frozenset()
    weights: tuple[str, ...] = ()

    def __init__(self, config: TechnicalConfig = TechnicalConfig()) -> None:
        self.config = config

    def runs_on(self, device: Device) -> Device:
        """Always the CPU."""
        return device.as_cpu()

    def setup(self, device: Device) -> None:
        """Give OpenCV as many threads as the device allows."""
        import cv2

        cv2.setNumThreads(device.threads)

    def plan(self, clip: Clip, pts: Sequence[float]) -> list[int]:
        """The frames nearest to the middles of equal parts of the clip."""
        return nearest_each(pts, middles(clip.end_s - clip.start_s, self.config.frames_per_s, self.config.frames_max))

    def reduce(self, clip: Clip, frame: RGB, index: int) -> FrameQuality:
        """Measure the frame; noise, blockiness and borders at its own size, the rest at 480 lines."""
        full = luma(frame)
        small = at_480_lines(full)
        rows, columns = quality.lit_shares(full)
        return FrameQuality(
            sharpness=quality.sharpness(small),
            noise=quality.noise(full),
            exposure=quality.exposure(small),
            contrast=quality.contrast(small),
            blockiness=quality.blockiness(full),
            lit_rows=rows,
            lit_columns=columns,
        )

    def score(self, clips: list[Reduced]) -> list[Outcome]:
        """Values of `schemas.scores.TECHNICAL`, one dict per clip."""
        return [_over_frames(clip.frames) for clip in clips]


def _over_frames(frames: list[FrameQuality]) -> dict[str, float | None]:
    if not frames:
        return dict.fromkeys(("sharpness", "noise", "exposure", "contrast", "blockiness", "letterbox"))
    return {
        "sharpness": median(frame.sharpness for frame in frames),
        "noise": median(frame.noise for frame in frames),
        "exposure": fmean(frame.exposure for frame in frames),
        "contrast": median(frame.contrast for frame in frames),
        "blockiness": median(frame.blockiness for frame in frames),
        "letterbox": quality.letterbox(
            np.max([frame.lit_rows for frame in frames], axis=0),
            np.max([frame.lit_columns for frame in frames], axis=0),
        ),
    }
