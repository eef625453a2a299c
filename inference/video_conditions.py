"""The conditions of a whole video, made a window at a time: features of drawn key points are large (5 MB a frame in float32 at 512x512)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from inference.retargeting import Points
from training.keypoint_image import draw_keypoints
from training.model.conditions import Conditions
from training.model.vkps_guider import VKpsGuider

DRAWN_AT_ONCE = 8


class VideoConditions:
    """`frames` gives those of a window, on the guider's device.

    `same` are the conditions that all frames share (portrait, weights); `points` (frames, 3, 2) in px of a picture of `width` x `height`;
    `tokens` (1, frames, tokens, width). Features of key points are kept from step to step as long as `kept_bytes` last, others are made again.
    """

    def __init__(self, guider: VKpsGuider, same: Conditions, points: Points, tokens: Tensor, width: int, height: int, kept_bytes: int) -> None:
        self._guider, self._same, self._points, self._tokens = guider, same, points, tokens
        self._width, self._height = width, height
        self._free_bytes = kept_bytes
        self._kept: dict[bytes, Tensor] = {}

    def frames(self, indices: Sequence[int]) -> Conditions:
        """Those of the frames `indices`."""
        chosen = list(indices)
        device = self._guider.conv_in.weight.device
        different, places = np.unique(self._points[chosen], axis=0, return_inverse=True)
        features = self._features(different)[:, :, torch.from_numpy(places.reshape(-1)).to(device)]
        return replace(self._same, kps_features=features, audio_tokens=self._tokens[:, chosen].to(device))

    def _features(self, points: Points) -> Tensor:
        key = points.tobytes()
        if key in self._kept:
            return self._kept[key]
        parts = [self._guided(points[first : first + DRAWN_AT_ONCE]) for first in range(0, len(points), DRAWN_AT_ONCE)]
        features = torch.cat(parts, dim=2)
        if features.nbytes <= self._free_bytes:
            self._free_bytes -= features.nbytes
            self._kept[key] = features
        return features

    @torch.no_grad()
    def _guided(self, points: Points) -> Tensor:
        drawn = np.stack([draw_keypoints(face, self._height, self._width) for face in points])
        images = torch.from_numpy(drawn).to(self._guider.conv_in.weight.device)
        return self._guider((images.to(self._guider.conv_in.weight.dtype) / 255).permute(3, 0, 1, 2)[None])
