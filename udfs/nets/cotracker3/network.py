"""CoTracker3: estimates of where points are, refined again and again (cotracker3.md §5 to §8; Karaev et al. 2024)."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from udfs.nets.cotracker3.correlation import EMBEDDING, LEVELS, CorrelationEmbedding, Pyramid, Support, embedded, support_features
from udfs.nets.cotracker3.features import STRIDE, FeatureNetwork
from udfs.nets.cotracker3.transformer import UpdateTransformer
from udfs.nets.true_float32 import true_float32

OFFLINE_FRAMES = 60
ITERATIONS = 6
MOTION_SCALES = 10
MOTION_UNIT = (128.0, 96.0)
"""Relative motion is measured in these many feature pixels (x, y), whatever the size of the video."""
MOTION_WIDTH = 4 * (1 + 2 * MOTION_SCALES)
TOKEN_WIDTH = 2 + LEVELS * EMBEDDING + MOTION_WIDTH
CPU_POINTS, GPU_POINTS = 32, 1024
"""Points whose correlations are computed at once; the result does not depend on it, the memory does."""


@dataclass(frozen=True)
class Tracks:
    """N points in T frames: `xy` (T, N, 2) in px of the network's input, `visibility` and `confidence` (T, N) in 0..1."""

    xy: Tensor
    visibility: Tensor
    confidence: Tensor


@dataclass
class Estimate:
    """What is refined: `xy` (N, T, 2) in feature pixels; `visibility` and `confidence` (N, T) as logits."""

    xy: Tensor
    visibility: Tensor
    confidence: Tensor

    @classmethod
    def at_rest(cls, queries: Tensor, frames: int) -> "Estimate":
        """Every point stays where it is asked for."""
        xy = (queries[:, None, 1:] / STRIDE).repeat(1, frames, 1)
        return cls(xy, xy.new_zeros(xy.shape[:2]), xy.new_zeros(xy.shape[:2]))

    def tracks(self) -> Tracks:
        """In px and probabilities, frames first."""
        return Tracks(STRIDE * self.xy.transpose(0, 1), self.visibility.t().sigmoid(), self.confidence.t().sigmoid())


class CoTracker3(nn.Module):
    """The network of both checkpoints, for inference: `time_frames` is 60 in the offline one and 16 in the online one."""

    def __init__(self, time_frames: int = OFFLINE_FRAMES) -> None:
        super().__init__()
        self.register_buffer("time_emb", _time_embedding(time_frames))
        self.fnet = FeatureNetwork()
        self.corr_mlp = CorrelationEmbedding()
        self.updateformer = UpdateTransformer(TOKEN_WIDTH)
        self.points_at_once: int | None = None

    @true_float32()
    def pyramid(self, video: Tensor) -> Pyramid:
        """Features of (T, 3, H, W) frames in 0..255, H and W multiples of 4."""
        return Pyramid.of(self.fnet.unit_features(video), self.corr_mlp.fc1.weight.dtype)

    def refine(self, estimate: Estimate, pyramid: Pyramid, support: Support, iterations: int = ITERATIONS) -> Estimate:
        """A better estimate for N points in the T frames of `pyramid`."""
        now = torch.cat([estimate.xy, estimate.visibility.unsqueeze(-1), estimate.confidence.unsqueeze(-1)], dim=-1)
        time = self._time_rows(pyramid.frames)
        for _ in range(iterations):
            states = self.updateformer.room(len(now), pyramid.frames)
            for part in self._parts(len(now), now.device):
                states[part] = self.updateformer.input_transform(self._tokens(now[part], pyramid, support(part)) + time)
            now = now + self.updateformer(states)
        return Estimate(now[..., :2], now[..., 2], now[..., 3])

    def _tokens(self, now: Tensor, pyramid: Pyramid, support: list[Tensor]) -> Tensor:
        """(n, T, 4) x, y, visibility, confidence -> (n, T, 1110)."""
        correlation = embedded(self.corr_mlp, pyramid, now[..., :2], support).float()
        return torch.cat([now[..., 2:], correlation, motion_encoding(now[..., :2])], dim=-1)

    def _time_rows(self, frames: int) -> Tensor:
        """The time embedding, (frames, 1110), stretched or squeezed to the video's length."""
        if frames == self.time_emb.shape[1]:
            return self.time_emb[0]
        return F.interpolate(self.time_emb.transpose(1, 2), size=frames, mode="linear", align_corners=False)[0].t()

    def _parts(self, points: int, device: torch.device) -> list[slice]:
        at_once = self.points_at_once or (CPU_POINTS if device.type == "cpu" else GPU_POINTS)
        return [slice(start, min(start + at_once, points)) for start in range(0, points, at_once)]


def track_offline(network: CoTracker3, pyramid: Pyramid, queries: Tensor, iterations: int = ITERATIONS) -> Tracks:
    """Follow `queries` (N, 3), rows of whole frame number, x, y in px of the network's input, through all frames, before and after (§8)."""
    estimate = Estimate.at_rest(queries, pyramid.frames)
    return network.refine(estimate, pyramid, lambda part: support_features(pyramid, queries[part]), iterations).tracks()


def motion_encoding(xy: Tensor) -> Tensor:
    """Steps to the next and from the last frame, and their sines at ten scales: (n, T, 2) -> (n, T, 84)."""
    step = xy[:, :-1] - xy[:, 1:]
    motion = torch.cat([F.pad(step, (0, 0, 0, 1)), F.pad(-step, (0, 0, 1, 0))], dim=-1) / xy.new_tensor(MOTION_UNIT * 2)
    scales = 2.0 ** torch.arange(MOTION_SCALES, device=xy.device)
    angles = (scales[:, None] * motion[..., None, :]).flatten(-2)
    return torch.cat([motion, angles.sin(), (angles + math.pi / 2).sin()], dim=-1)


def _time_embedding(frames: int) -> Tensor:
    """(1, frames, 1110): sines, then cosines, of the frame number at falling frequencies."""
    half = TOKEN_WIDTH // 2
    frequency = 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    angle = torch.arange(frames, dtype=torch.float64)[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=1).float().unsqueeze(0)
