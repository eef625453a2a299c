"""TransNet V2 (Souček and Lokoč, 2020): which frames of a window begin, or belong to, a transition between shots.

Written from the paper; parameters are named as in the published weights. Every 3-D convolution of the paper is a spatial and
a temporal one in turn: both run here as 2-D convolutions over one channels-last array, the four dilations share one spatial
convolution, and batch normalisation is folded into the temporal ones.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from udfs.nets.threads import one_torch_thread
from udfs.scorer import Device

if TYPE_CHECKING:
    from torch import Tensor

WIDTH_PX, HEIGHT_PX = 48, 27
"""Size of the frames it takes."""

STACKS, BLOCKS = 3, 2
DILATIONS = (1, 2, 4, 8)
BATCH_NORM_EPSILON = 1e-3
NEIGHBOURS = 50
"""Frames before and after each one that it is compared with."""

COLOURS = 512
"""Bins of the colour histogram: 8 levels of each channel."""


class TransNet:
    """The network on one device, ready to run. `state` holds the published parameters by name."""

    def __init__(self, state: Mapping[str, "Tensor"], device: Device) -> None:
        import torch

        self._device = device
        self._weights = {name: value.to(device.torch_name, torch.float32) for name, value in state.items() if value.is_floating_point()}
        self._stacks = [[_Block(self._weights, f"SDDCNN.{stack}.DDCNN.{block}") for block in range(BLOCKS)] for stack in range(STACKS)]

    @classmethod
    def load(cls, weights: Path, device: Device) -> "TransNet":
        """The network with the weights of a file."""
        import torch

        return cls(torch.load(weights, map_location="cpu", weights_only=True), device)

    def __call__(self, windows: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Probabilities 0..1, each (windows, frames), for RGB `windows` (windows, frames, 27, 48, 3).

        The first: the frame is the last one before a cut, or the middle of a transition. The second: it belongs to a transition.
        """
        import torch

        from udfs.nets.true_float32 import true_float32

        with torch.inference_mode(), one_torch_thread(), true_float32():
            single, every = self._forward(torch.from_numpy(np.ascontiguousarray(windows)).to(self._device.torch_name))
            return single.cpu().numpy(), every.cpu().numpy()

    def _forward(self, windows: "Tensor") -> tuple["Tensor", "Tensor"]:
        import torch

        count, length = windows.shape[:2]
        pictures = windows.flatten(0, 1).float() / 255
        means = []
        for blocks in self._stacks:
            first = blocks[0](pictures, length).relu_()
            pictures = blocks[1](first, length).relu_() + first
            pictures = torch.nn.functional.avg_pool2d(pictures.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
            means.append(pictures.mean((1, 2)))
        projected = self._linear("frame_sim_layer.projection", torch.cat(means, 1)).reshape(count, length, -1)
        alike = self._linear("frame_sim_layer.fc", similarities(projected)).relu_()
        same_colours = self._linear("color_hist_layer.fc", similarities(histograms(windows))).relu_()
        joined = torch.cat([same_colours, alike, pictures.reshape(count, length, -1)], 2)
        hidden = self._linear("fc1", joined).relu_()
        return tuple(self._linear(head, hidden)[..., 0].sigmoid() for head in ("cls_layer1", "cls_layer2"))

    def _linear(self, name: str, values: "Tensor") -> "Tensor":
        import torch

        return torch.nn.functional.linear(values, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])


class _Block:
    """Four temporal dilations side by side over one spatial convolution, then batch normalisation."""

    def __init__(self, weights: Mapping[str, "Tensor"], name: str) -> None:
        import torch

        def packed(weight: "Tensor") -> "Tensor":
            return weight.contiguous(memory_format=torch.channels_last)

        scale = weights[f"{name}.bn.weight"] / torch.sqrt(weights[f"{name}.bn.running_var"] + BATCH_NORM_EPSILON)
        shift = weights[f"{name}.bn.bias"] - weights[f"{name}.bn.running_mean"] * scale
        self._spatial = packed(torch.cat([weights[f"{name}.Conv3D_{dilation}.layers.0.weight"][:, :, 0] for dilation in DILATIONS]))
        self._temporal = [
            (packed(weights[f"{name}.Conv3D_{dilation}.layers.1.weight"][..., 0] * part[:, None, None, None]), bias, dilation)
            for dilation, part, bias in zip(DILATIONS, scale.chunk(len(DILATIONS)), shift.chunk(len(DILATIONS)))
        ]

    def __call__(self, pictures: "Tensor", length: int) -> "Tensor":
        """(windows * frames, height, width, channels) to the same with this block's channels; `length` frames a window."""
        import torch

        convolve = torch.nn.functional.conv2d
        total, height, width, _ = pictures.shape
        spatial = convolve(pictures.permute(0, 3, 1, 2), self._spatial, padding=1).permute(0, 2, 3, 1)
        over_time = spatial.reshape(total // length, length, height * width, -1).permute(0, 3, 1, 2)
        branches = [
            convolve(branch, weight, bias, padding=(dilation, 0), dilation=(dilation, 1))
            for branch, (weight, bias, dilation) in zip(over_time.chunk(len(DILATIONS), 1), self._temporal)
        ]
        return torch.cat(branches, 1).permute(0, 2, 3, 1).reshape(total, height, width, -1)


def similarities(features: "Tensor") -> "Tensor":
    """Cosine of each frame's features with those of its neighbours: (windows, frames, n) to (windows, frames, 101), 0 beyond the window."""
    import torch

    unit = torch.nn.functional.normalize(features, dim=2)
    table = torch.nn.functional.pad(unit @ unit.transpose(1, 2), (NEIGHBOURS, NEIGHBOURS))
    return torch.stack([table[:, frame, frame : frame + 2 * NEIGHBOURS + 1] for frame in range(features.shape[1])], 1)


def histograms(windows: "Tensor") -> "Tensor":
    """How many pixels have each of 512 colours: (windows, frames, 512)."""
    import torch

    levels = (windows >> 5).long()
    colours = (levels[..., 0] * 64 + levels[..., 1] * 8 + levels[..., 2]).flatten(2)
    counts = torch.zeros(*colours.shape[:2], COLOURS, device=windows.device)
    return counts.scatter_add_(2, colours, torch.ones_like(colours, dtype=counts.dtype))
