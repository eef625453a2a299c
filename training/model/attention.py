"""Attention and feed-forward of the transformer blocks (vexpress.md §2)."""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn


class KeysValues(NamedTuple):
    """What queries look at: two tensors (samples, heads, tokens, head width)."""

    keys: Tensor
    values: Tensor


class Attention(nn.Module):
    """Multi-head attention; no bias but in the output. Without a context of its own width it attends to its input."""

    def __init__(self, width: int, heads: int, context_width: int | None = None) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(context_width or width, width, bias=False)
        self.to_v = nn.Linear(context_width or width, width, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """(samples, n, width) and a context (samples, m, context width) -> (samples, n, width)."""
        return self.project(self.attend(x, self.keys_values(x if context is None else context)))

    def keys_values(self, context: Tensor) -> KeysValues:
        """(samples, m, context width) -> keys and values."""
        return KeysValues(self._split(self.to_k(context)), self._split(self.to_v(context)))

    def attend(self, x: Tensor, seen: KeysValues) -> Tensor:
        """(samples, n, width) -> (samples, n, width), before the output projection."""
        return F.scaled_dot_product_attention(self._split(self.to_q(x)), *seen).transpose(1, 2).flatten(2)

    def project(self, attended: Tensor) -> Tensor:
        """The output projection."""
        return self.to_out[0](attended)

    @property
    def answer_to_zeros(self) -> Tensor:
        """What the attention gives, whatever is asked, where its context is zero: the output's bias, (width)."""
        return self.to_out[0].bias

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class FeedForward(nn.Module):
    """Gated by the exact GELU: (..., width) -> (..., width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.ModuleList([_Gate(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width)])

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., width)."""
        return self.net[2](self.net[0](x))


class _Gate(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 2 * hidden)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., hidden)."""
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * F.gelu(gate)
