"""LSE-D and LSE-C (Sync-D, Sync-C) over many videos, from SyncNet's agreement on each (Prajwal et al. 2020; metrics.md §1.3, §1.5)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from udfs.nets.syncnet.agreement import Agreement


@dataclass(frozen=True)
class LipSync:
    """`distance` (LSE-D, lower is better) and `confidence` (LSE-C, higher is better): plain means over the `scored` videos, as Wav2Lip's script.

    `abs_offset_frames`: mean of |offset|, 1/25 s each. `not_scored`: videos without a face or sound long enough; published scripts drop them silently.
    """

    distance: float
    confidence: float
    abs_offset_frames: float
    scored: int
    not_scored: int


def lip_sync(videos: Sequence[Agreement | None]) -> LipSync | None:
    """Over videos, None for each that could not be scored; None when none could."""
    scored = [video for video in videos if video is not None]
    if not scored:
        return None
    offsets, distances, confidences = np.array(scored, np.float64).T
    return LipSync(float(distances.mean()), float(confidences.mean()), float(np.abs(offsets).mean()), len(scored), len(videos) - len(scored))


def of_tracks(tracks: Sequence[Agreement]) -> Agreement:
    """Several faces or shots of one video as one: means, the offset towards zero to whole frames (LatentSync). `tracks` is not empty."""
    offsets, distances, confidences = np.array(tracks, np.float64).T
    return Agreement(int(offsets.mean()), float(distances.mean()), float(confidences.mean()))
