"""Audio projection: from ten rows of wav2vec2 features to five tokens per frame (vexpress.md §7.4)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.model.config import AudioProjectionConfig


class AudioProjection(nn.Module):
    """A perceiver resampler: learnt queries attend to the features, and to themselves, layer after layer."""

    def __init__(self, config: AudioProjectionConfig, outputs: int) -> None:
        super().__init__()
        self.pos_emb = nn.Embedding(config.rows, config.features)
        self.latents = nn.Parameter(torch.randn(1, config.queries, config.width) / config.width**0.5)
        self.proj_in = nn.Linear(config.features, config.width)
        self.layers = nn.ModuleList([nn.ModuleList([QueryAttention(config), _feed_forward(config)]) for _ in range(config.depth)])
        self.proj_out = nn.Linear(config.width, outputs)
        self.norm_out = nn.LayerNorm(outputs)

    def forward(self, windows: Tensor) -> Tensor:
        """Windows (..., rows, features) as `training.audio_windows` makes them -> tokens (..., queries, outputs)."""
        x = self.proj_in((windows.to(self.pos_emb.weight.dtype) + self.pos_emb.weight).flatten(0, -3))
        queries = self.latents.expand(len(x), -1, -1)
        for attention, feed_forward in self.layers:
            queries = queries + attention(x, queries)
            queries = queries + feed_forward(queries)
        return self.norm_out(self.proj_out(queries)).unflatten(0, windows.shape[:-2])


class QueryAttention(nn.Module):
    """What queries (m, q, width) gather from x (m, rows, width) and from themselves. No biases."""

    def __init__(self, config: AudioProjectionConfig) -> None:
        super().__init__()
        inner = config.heads * config.head_width
        self.heads = config.heads
        self.norm1 = nn.LayerNorm(config.width)
        self.norm2 = nn.LayerNorm(config.width)
        self.to_q = nn.Linear(config.width, inner, bias=False)
        self.to_kv = nn.Linear(config.width, 2 * inner, bias=False)
        self.to_out = nn.Linear(inner, config.width, bias=False)

    def forward(self, x: Tensor, queries: Tensor) -> Tensor:
        """(m, rows, width) and queries (m, q, width) -> (m, q, width)."""
        x, queries = self.norm1(x), self.norm2(queries)
        keys, values = self.to_kv(torch.cat([x, queries], dim=1)).chunk(2, dim=-1)
        asked, keys, values = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.to_q(queries), keys, values))
        return self.to_out(F.scaled_dot_product_attention(asked, keys, values).transpose(1, 2).flatten(2))


def _feed_forward(config: AudioProjectionConfig) -> nn.Sequential:
    hidden = config.expansion * config.width
    return nn.Sequential(nn.LayerNorm(config.width), nn.Linear(config.width, hidden, bias=False), nn.GELU(), nn.Linear(hidden, config.width, bias=False))
