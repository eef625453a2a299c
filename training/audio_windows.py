"""The sound around each frame: rows of wav2vec2 features brought to two per video frame (vexpress.md §7.3)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

PAD_FRAMES = 2
ROWS_PER_FRAME = 2
ROWS = ROWS_PER_FRAME * (2 * PAD_FRAMES + 1)
"""Rows in a window: those of a frame and of two frames on either side."""


def stretched(features: Tensor, video_frames: int) -> Tensor:
    """(rows, width) of the whole clip -> (2 * video_frames, width), linear in time, computed in float32, in the dtype of `features`."""
    rows = F.interpolate(features.float().t()[None], size=ROWS_PER_FRAME * video_frames, mode="linear", align_corners=False)
    return rows[0].t().to(features.dtype)


def frame_windows(rows: Tensor, frames: Sequence[int]) -> Tensor:
    """What is heard around each of `frames`, numbers in the whole clip: (len(frames), 10, width); silence is zero beyond the clip's ends."""
    padded = F.pad(rows, (0, 0, ROWS_PER_FRAME * PAD_FRAMES, ROWS_PER_FRAME * PAD_FRAMES))
    starts = ROWS_PER_FRAME * torch.as_tensor(list(frames), dtype=torch.int64)
    return padded[starts[:, None] + torch.arange(ROWS)]
