"""From a video of any size to tracks in its own pixels (cotracker3.md §10)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from udfs.nets.cotracker3.network import CoTracker3, Tracks, track_offline
from udfs.nets.cotracker3.online import Stream

Size = tuple[int, int]
"""Height, width in px."""

NETWORK_SIZE: Size = (384, 512)
SUPPORT_GRID = 6
"""Points per side of the grid that keeps lone queries company."""
OFFLINE_VISIBLE = 0.9
ONLINE_VISIBLE = 0.6


@dataclass(frozen=True)
class SeenTracks:
    """`xy` (T, N, 2) in px of the video; `visible` (T, N), true where the point is seen; `raw` as the network gave them."""

    xy: Tensor
    visible: Tensor
    raw: Tracks


def grid(points_per_side: int, size: Size = NETWORK_SIZE, frame: int = 0) -> Tensor:
    """Queries on a regular grid, row by row: (points, 3) of frame, x, y. The margin on both axes is a 64th of the width, as trained."""
    height, width = size
    if points_per_side == 1:
        return torch.tensor([[frame, width / 2, height / 2]])
    margin = width / 64
    x = torch.linspace(margin, width - margin, points_per_side)
    y = torch.linspace(margin, height - margin, points_per_side)
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([torch.full_like(rows, frame), columns, rows], dim=-1).view(-1, 3)


def fitted(video: Tensor, size: Size = NETWORK_SIZE) -> Tensor:
    """(T, 3, H, W) resized bilinearly, corners aligned, aspect ratio not kept."""
    return F.interpolate(video.float(), size, mode="bilinear", align_corners=True)


def _scale(source: Size, target: Size, like: Tensor) -> Tensor:
    """Factors of x and y from `source` to `target`: corner pixels stay corner pixels."""
    return like.new_tensor([(target[1] - 1) / (source[1] - 1), (target[0] - 1) / (source[0] - 1)])


def _into_network(queries: Tensor, source: Size, size: Size) -> Tensor:
    return torch.cat([queries[:, :1], queries[:, 1:] * _scale(source, size, queries)], dim=1)


@torch.inference_mode()
def predict_offline(network: CoTracker3, video: Tensor, queries: Tensor, *, backward: bool) -> SeenTracks:
    """Follow `queries` (N, 3), in px of the video (T, 3, H, W) in 0..255, with a support grid beside them.

    With `backward`, frames before a point's query frame are taken from a second pass through the reversed video.
    """
    source = (video.shape[-2], video.shape[-1])
    points = torch.cat([_into_network(queries, source, NETWORK_SIZE), grid(SUPPORT_GRID).to(queries)])
    return _followed(network, fitted(video), points, len(queries), source, backward=backward)


@torch.inference_mode()
def predict_grid(network: CoTracker3, video: Tensor, points_per_side: int, *, frame: int = 0, backward: bool) -> SeenTracks:
    """Follow a regular grid of points of frame `frame`; arguments and result otherwise as in `predict_offline`.

    From frame 0 nothing lies before the query frame, so `backward` changes nothing and costs a second pass.
    """
    source = (video.shape[-2], video.shape[-1])
    points = grid(points_per_side, frame=frame).to(video.device)
    return _followed(network, fitted(video), points, len(points), source, backward=backward)


def _followed(network: CoTracker3, frames: Tensor, points: Tensor, wanted: int, source: Size, *, backward: bool) -> SeenTracks:
    pyramid = network.pyramid(frames)
    raw = track_offline(network, pyramid, points)
    xy, visibility = raw.xy, raw.visibility
    if backward:
        last = pyramid.frames - 1
        reverse = track_offline(network, pyramid.reversed_in_time(), torch.cat([last - points[:, :1], points[:, 1:]], dim=1))
        before = torch.arange(pyramid.frames, device=points.device)[:, None] < points[None, :, 0]
        xy = torch.where(before.unsqueeze(-1), reverse.xy.flip(0), xy)
        visibility = torch.where(before, reverse.visibility.flip(0), visibility)
    xy, visible = xy[:, :wanted].clone(), visibility[:, :wanted] > OFFLINE_VISIBLE
    frame, number = points[:wanted, 0].long(), torch.arange(wanted, device=points.device)
    xy[frame, number] = points[:wanted, 1:]
    visible[frame, number] = True
    return SeenTracks(xy * _scale(NETWORK_SIZE, source, xy), visible, raw)


class OnlinePredictor:
    """Follows points through chunks of a video of `source` size, as `Stream` takes them; `size` is the network's.

    `queries` (N, 3) are in px of the video; with `support` a grid keeps them company.
    """

    def __init__(self, network: CoTracker3, queries: Tensor, source: Size, *, support: bool = False, size: Size = NETWORK_SIZE) -> None:
        self.source, self.size, self.wanted = source, size, len(queries)
        points = _into_network(queries, source, size)
        self.stream = Stream(network, torch.cat([points, grid(SUPPORT_GRID, size).to(points)]) if support else points)

    @classmethod
    def of_grid(cls, network: CoTracker3, points_per_side: int, source: Size, *, frame: int = 0, size: Size = NETWORK_SIZE) -> "OnlinePredictor":
        """Follow a regular grid of points of frame `frame`."""
        predictor = cls(network, grid(points_per_side, size, frame), size, size=size)
        predictor.source = source
        return predictor

    @torch.inference_mode()
    def advance(self, chunk: Tensor) -> SeenTracks:
        """Take the next (T, 3, H, W) chunk, in 0..255; returns all tracks so far."""
        raw = self.stream.advance(fitted(chunk, self.size))
        visible = raw.visibility * raw.confidence > ONLINE_VISIBLE
        xy = raw.xy[:, : self.wanted]
        return SeenTracks(xy * _scale(self.size, self.source, xy), visible[:, : self.wanted], raw)
