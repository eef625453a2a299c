"""wav2vec2's convolutions over long sound, a part at a time: their first layer alone makes 6.5 MB of numbers of every second."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

ROWS_AT_ONCE = 500
"""About 10 s of sound."""


class InParts(nn.Module):
    """Stands in for the feature encoder `whole` of a wav2vec2 and gives the same rows, in memory that does not grow with the sound.

    The first layer's norm is over the whole sound, so that layer is computed twice: once for the mean and the variance of its channels, then part by
    part on to the end. Sound of up to `ROWS_AT_ONCE` rows goes through `whole` as it is, and so does any in an encoder whose first layer has no such norm.
    """

    def __init__(self, whole: nn.Module) -> None:
        super().__init__()
        self.whole = whole
        convolutions = [layer.conv for layer in whole.conv_layers]
        self._step, self._heard = 1, 1
        for convolution in reversed(convolutions):
            self._heard = (self._heard - 1) * convolution.stride[0] + convolution.kernel_size[0]
            self._step *= convolution.stride[0]

    def forward(self, sound: Tensor) -> Tensor:
        """(1, samples) -> (1, channels, rows)."""
        rows = (sound.shape[1] - self._heard) // self._step + 1
        first, *others = self.whole.conv_layers
        norm = getattr(first, "layer_norm", None)
        if rows <= ROWS_AT_ONCE or not isinstance(norm, nn.GroupNorm) or norm.num_groups != norm.num_channels:
            return self.whole(sound)
        mean, deviation = self._spread(sound, first.conv, norm.eps)
        scale = norm.weight[:, None] / deviation
        parts = []
        for begin in range(0, rows, ROWS_AT_ONCE):
            end = min(begin + ROWS_AT_ONCE, rows)
            hidden = first.conv(sound[:, None, begin * self._step : (end - 1) * self._step + self._heard])
            hidden = first.activation(hidden.sub_(mean).mul_(scale).add_(norm.bias[:, None]))
            for layer in others:
                hidden = layer(hidden)
            parts.append(hidden)
        return torch.cat(parts, dim=-1)

    def _spread(self, sound: Tensor, convolution: nn.Conv1d, epsilon: float) -> tuple[Tensor, Tensor]:
        """Mean of each channel of the first layer over the whole sound, and the root of its variance, (channels, 1)."""
        count, total, squares = 0, 0.0, 0.0
        for part in _outputs(sound, convolution, ROWS_AT_ONCE * self._step // convolution.stride[0]):
            count += part.shape[-1]
            total = total + part.sum(dim=-1, dtype=torch.float64)
            squares = squares + torch.linalg.vector_norm(part, dim=-1, dtype=torch.float64).square()
        mean = total / count
        deviation = (squares / count - mean.square()).clamp_min(0).add(epsilon).sqrt()
        return mean[0, :, None].to(sound.dtype), deviation[0, :, None].to(sound.dtype)


def _outputs(sound: Tensor, convolution: nn.Conv1d, at_once: int) -> Iterator[Tensor]:
    """What a convolution gives, (1, channels, n), `at_once` places at a time."""
    stride, kernel = convolution.stride[0], convolution.kernel_size[0]
    places = (sound.shape[1] - kernel) // stride + 1
    for begin in range(0, places, at_once):
        end = min(begin + at_once, places)
        yield convolution(sound[:, None, begin * stride : (end - 1) * stride + kernel])
