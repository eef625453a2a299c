"""How steadily a video shows what it shows: ratios of points that stay in sight (talkvid.md §3.3 and §3.4)."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from udfs.nets.cotracker3.network import CoTracker3, track_offline
from udfs.nets.cotracker3.predictor import predict_grid

Frames = NDArray[np.uint8]
"""(T, height, width, 3), RGB."""

PAPER_POINTS_PER_SIDE = 16
PAPER_CROP_PX = 256
PAPER_CONFIDENCE = 0.5
PAPER_STEP_PX = 20.0


@dataclass(frozen=True)
class Motion:
    """The paper's measures of a window: share of valid trajectories, and mean displacement per frame in px at 512 lines."""

    ratio: float
    mean_displacement_px: float | None


def visible_ratio(network: CoTracker3, frames: Frames, points_per_side: int, *, backward: bool = False) -> float:
    """Share of (frame, point) pairs in sight, over a grid of points of the first frame, that frame included: 0..1.

    `backward` is the released script's second pass; from the first frame it changes nothing.
    """
    seen = predict_grid(network, _video(network, frames), points_per_side, backward=backward)
    return int(seen.visible.sum()) / seen.visible.numel()


@torch.inference_mode()
def paper_motion(network: CoTracker3, frames: Frames) -> Motion:
    """Of frames 512 px on the shorter side: 16 x 16 points of the central 256 x 256 px of the first frame.

    A trajectory is valid when in every frame its confidence is at least 0.5, it lies within the picture, and it has moved at most 20 px.
    """
    count, height, width, _ = frames.shape
    queries = _central_points(height, width).to(network.time_emb.device)
    tracks = track_offline(network, network.pyramid(_video(network, frames)), queries)
    corner = queries.new_tensor([width - 1, height - 1])
    inside = ((tracks.xy >= 0) & (tracks.xy <= corner)).all(-1)
    steps = (tracks.xy[1:] - tracks.xy[:-1]).norm(dim=-1)
    valid = (tracks.confidence >= PAPER_CONFIDENCE).all(0) & inside.all(0) & (steps <= PAPER_STEP_PX).all(0)
    return Motion(int(valid.sum()) / valid.numel(), float(steps.mean()) if count > 1 else None)


def _central_points(height: int, width: int) -> Tensor:
    """Centres of 16 x 16 equal cells of the crop: (256, 3) queries of frame 0."""
    cell = PAPER_CROP_PX / PAPER_POINTS_PER_SIDE
    places = (torch.arange(PAPER_POINTS_PER_SIDE) + 0.5) * cell - 0.5
    rows, columns = torch.meshgrid(places, places, indexing="ij")
    left, top = (width - PAPER_CROP_PX) / 2, (height - PAPER_CROP_PX) / 2
    return torch.stack([torch.zeros_like(rows), columns + left, rows + top], dim=-1).view(-1, 3)


def _video(network: CoTracker3, frames: Frames) -> Tensor:
    return torch.from_numpy(frames).to(network.time_emb.device).permute(0, 3, 1, 2).float()
