"""The online CoTracker3: windows of 16 frames that advance by 8 (cotracker3.md §9)."""

import torch
from torch import Tensor

from udfs.nets.cotracker3.correlation import support_features
from udfs.nets.cotracker3.network import ITERATIONS, CoTracker3, Estimate, Tracks

WINDOW = 16
STEP = 8


class Stream:
    """Follows `queries` (N, 3), rows of whole frame number, x, y in px, through a video that arrives in chunks.

    Chunks start every `STEP` frames and have `WINDOW` frames; only the last may be shorter (9 or more frames, any number if it is also the first).
    """

    def __init__(self, network: CoTracker3, queries: Tensor) -> None:
        self.network = network
        self.queries = queries
        self.start = 0
        self._support: list[Tensor] = []
        self._known: Estimate | None = None

    def advance(self, chunk: Tensor) -> Tracks:
        """Take the (T, 3, H, W) frames from `start` on, in 0..255; returns all tracks up to the chunk's last frame."""
        frames = len(chunk)
        if frames > WINDOW or (self.start > 0 and frames <= STEP):
            raise ValueError(f"a chunk of {frames} frames: the first has 1 to {WINDOW}, the following {STEP + 1} to {WINDOW}")
        padded = torch.cat([chunk, chunk[-1:].expand(WINDOW - frames, -1, -1, -1)])
        pyramid = self.network.pyramid(padded)
        local = self.queries - self.queries.new_tensor([self.start, 0, 0])
        self._capture(support_features(pyramid, local), local[:, 0])
        refined = self.network.refine(self._first_guess(local[:, 0]), pyramid, lambda part: [level[part] for level in self._support], ITERATIONS)
        self._keep(refined, frames)
        self.start += STEP
        return self._known.tracks()

    def _capture(self, support: list[Tensor], frame: Tensor) -> None:
        """Points first seen in this window get their support features; those not seen yet have zeros."""
        oldest = STEP if self.start > 0 else 0
        seen = ((frame >= oldest) & (frame < WINDOW)).view(-1, 1, 1)
        before = self._support or [torch.zeros_like(level) for level in support]
        self._support = [torch.where(seen, new, old) for new, old in zip(support, before, strict=True)]

    def _first_guess(self, frame: Tensor) -> Estimate:
        """Known points go on from the last window, standing still in the new half; the others rest where they are asked for."""
        rest = Estimate.at_rest(self.queries, WINDOW)
        if self._known is None:
            return rest
        new = frame >= STEP
        take = torch.arange(self.start, self.start + WINDOW, device=frame.device).clamp(max=self.start + STEP - 1)
        return Estimate(
            torch.where(new.view(-1, 1, 1), rest.xy, self._known.xy[:, take]),
            torch.where(new.view(-1, 1), rest.visibility, self._known.visibility[:, take]),
            torch.where(new.view(-1, 1), rest.confidence, self._known.confidence[:, take]),
        )

    def _keep(self, refined: Estimate, frames: int) -> None:
        """The window overwrites the half it shares with the last one."""
        known = self._known or Estimate(refined.xy[:, :0], refined.visibility[:, :0], refined.confidence[:, :0])
        self._known = Estimate(
            torch.cat([known.xy[:, : self.start], refined.xy[:, :frames]], dim=1),
            torch.cat([known.visibility[:, : self.start], refined.visibility[:, :frames]], dim=1),
            torch.cat([known.confidence[:, : self.start], refined.confidence[:, :frames]], dim=1),
        )


def track_online(network: CoTracker3, video: Tensor, queries: Tensor) -> Tracks:
    """Follow `queries` through a whole (T, 3, H, W) video, window by window."""
    stream = Stream(network, queries)
    tracks = stream.advance(video[:WINDOW])
    for start in range(STEP, len(video) - STEP, STEP):
        tracks = stream.advance(video[start : start + WINDOW])
    return tracks
