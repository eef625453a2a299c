"""Transformer of CoTracker3: tokens of a track attend over time, tracks over each other by way of virtual tracks (cotracker3.md §7).

Tokens are kept (tracks, frames, channels), contiguous, float32; blocks change them in place, a bounded number of tracks at a time on a CPU.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from udfs.nets.linear import Linear

WIDTH = 384
HEADS = 8
DEPTH = 3
VIRTUAL_TRACKS = 64
CPU_ROWS = 1280
"""Tokens that one CPU pass takes."""


def _normed(x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], eps=1e-6)


def track_tiles(x: Tensor) -> tuple[Tensor, ...]:
    """Views of (tracks, frames, C) that cover it once; the whole of it on a GPU."""
    tracks = max(1, CPU_ROWS // x.shape[1]) if x.device.type == "cpu" else max(1, len(x))
    return x.split(tracks)


class Attention(nn.Module):
    """Scaled dot-product attention with 8 heads; queries and what they attend to are projected apart."""

    def __init__(self) -> None:
        super().__init__()
        self.to_q = Linear(WIDTH, WIDTH)
        self.to_kv = Linear(WIDTH, 2 * WIDTH)
        self.to_out = Linear(WIDTH, WIDTH)

    def context(self, tiles: Iterable[Tensor]) -> Tensor:
        """Normalised tokens (a, b, C), given in tiles along a -> keys and values (2, a, b, heads, head width)."""
        return torch.cat([self.to_kv(tile) for tile in tiles]).unflatten(-1, (2, HEADS, -1)).permute(2, 0, 1, 3, 4)

    def over_time(self, x: Tensor) -> Tensor:
        """Each track's (n, T, C) tokens attend to each other."""
        q, (k, v) = self._queries(x), self.context([x])
        mixed = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
        return self.to_out(mixed.transpose(1, 2).flatten(2))

    def over_tracks(self, x: Tensor, context: Tensor) -> Tensor:
        """In each frame, tokens (n, T, C) attend to the m tokens of that frame in `context` (2, m, T, heads, head width)."""
        q, (k, v) = self._queries(x), context
        mixed = F.scaled_dot_product_attention(q.permute(1, 2, 0, 3), k.permute(1, 2, 0, 3), v.permute(1, 2, 0, 3))
        return self.to_out(mixed.permute(2, 0, 1, 3).flatten(2))

    def _queries(self, x: Tensor) -> Tensor:
        return self.to_q(x).unflatten(-1, (HEADS, -1))


class Mlp(nn.Module):
    """C -> 4 C, GELU (tanh form), -> C."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = Linear(WIDTH, 4 * WIDTH, activation="gelu_tanh")
        self.fc2 = Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        return self.fc2(self.fc1(x))


class TimeBlock(nn.Module):
    """Self attention along each track, then an MLP."""

    def __init__(self) -> None:
        super().__init__()
        self.attn = Attention()
        self.mlp = Mlp()

    def forward(self, x: Tensor) -> Tensor:
        """(n, T, C) -> the same tensor, changed."""
        for tile in track_tiles(x):
            tile += self.attn.over_time(_normed(tile))
            tile += self.mlp(_normed(tile))
        return x


class VirtualBlock(nn.Module):
    """Self attention among the virtual tracks of each frame, then an MLP."""

    def __init__(self) -> None:
        super().__init__()
        self.attn = Attention()
        self.mlp = Mlp()

    def forward(self, x: Tensor) -> Tensor:
        """(64, T, C) -> the same tensor, changed."""
        normed = _normed(x)
        x += self.attn.over_tracks(normed, self.attn.context([normed]))
        x += self.mlp(_normed(x))
        return x


class CrossBlock(nn.Module):
    """Tracks attend, in each frame, to other tracks; then an MLP."""

    def __init__(self) -> None:
        super().__init__()
        self.norm_context = nn.LayerNorm(WIDTH)
        self.cross_attn = Attention()
        self.mlp = Mlp()

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """(n, T, C) and the (m, T, C) tokens attended to -> x, changed."""
        keys_values = self.cross_attn.context(self.norm_context(tile) for tile in track_tiles(context))
        for tile in track_tiles(x):
            tile += self.cross_attn.over_tracks(_normed(tile), keys_values)
            tile += self.mlp(_normed(tile))
        return x


class UpdateTransformer(nn.Module):
    """Input tokens of all tracks -> their corrections."""

    def __init__(self, token_width: int) -> None:
        super().__init__()
        self.virual_tracks = nn.Parameter(torch.zeros(1, VIRTUAL_TRACKS, 1, WIDTH))  # spelt as in the checkpoints
        self.input_transform = Linear(token_width, WIDTH)
        self.time_blocks = nn.ModuleList(TimeBlock() for _ in range(DEPTH))
        self.space_virtual_blocks = nn.ModuleList(VirtualBlock() for _ in range(DEPTH))
        self.space_point2virtual_blocks = nn.ModuleList(CrossBlock() for _ in range(DEPTH))
        self.space_virtual2point_blocks = nn.ModuleList(CrossBlock() for _ in range(DEPTH))
        self.flow_head = Linear(WIDTH, 2)
        self.vis_conf_head = Linear(WIDTH, 2)

    def room(self, tracks: int, frames: int) -> Tensor:
        """(tracks + 64, frames, C) states: the first `tracks` to be filled with `input_transform` of their tokens, the rest virtual."""
        states = self.virual_tracks.new_empty(tracks + VIRTUAL_TRACKS, frames, WIDTH)
        states[tracks:] = self.virual_tracks[0]
        return states

    def forward(self, states: Tensor) -> Tensor:
        """(N + 64, T, C) states, which it changes -> (N, T, 4) corrections: x, y in feature pixels, visibility and confidence logits; float32."""
        points, virtual = states[:-VIRTUAL_TRACKS], states[-VIRTUAL_TRACKS:]
        for number in range(DEPTH):
            self.time_blocks[number](states)
            self.space_virtual2point_blocks[number](virtual, points)
            self.space_virtual_blocks[number](virtual)
            self.space_point2virtual_blocks[number](points, virtual)
        return torch.cat([self.flow_head(points), self.vis_conf_head(points)], dim=-1).float()
