"""Technical backbone of DOVER: Swin-3D tiny with gated relative position bias (dover.md §2; Liu et al. 2022, Wu et al. 2022).

Tokens are kept (batch, depth, height, width, channels), contiguous; blocks change them in place.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from udfs.nets.dover.windows import WINDOW, Windows, windows_of
from udfs.nets.linear import Linear
from udfs.nets.tiles import rows_at_once

PATCH = (2, 4, 4)
WIDTHS = (96, 192, 384, 768)
DEPTHS = (2, 2, 6, 2)
HEAD_WIDTH = 32
CPU_VECTOR = 16
"""Numbers in the widest vector of a CPU: torch's attention there works one by one on the keys of a window that fill none (our own measurement)."""
GATED_STAGES = 3
"""Stages whose bias knows fragments; the last one does not."""


class PatchEmbedding(nn.Module):
    """(N, 3, T, H, W) -> (N, ceil(T / 2), ceil(H / 4), ceil(W / 4), 96)."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Conv3d(3, WIDTHS[0], PATCH, stride=PATCH)
        self.norm = nn.LayerNorm(WIDTHS[0])

    def forward(self, video: Tensor) -> Tensor:
        """(N, 3, T, H, W) -> patches, channels last, (N, T / 2, H / 4, W / 4, 96) rounded up, in float32."""
        ends = [amount for axis in (2, 1, 0) for amount in (0, -video.shape[2 + axis] % PATCH[axis])]
        patches = self.proj(F.pad(video, ends).to(self.proj.weight.dtype))
        return self.norm(patches.permute(0, 2, 3, 4, 1).float().contiguous())


class WindowAttention(nn.Module):
    """Multi-head attention inside windows, with a bias by relative position, gated by fragments."""

    def __init__(self, width: int, *, gated: bool) -> None:
        super().__init__()
        self.heads = width // HEAD_WIDTH
        offsets = (2 * WINDOW[0] - 1) * (2 * WINDOW[1] - 1) * (2 * WINDOW[2] - 1)
        self.relative_position_bias_table = nn.Parameter(torch.zeros(offsets, self.heads))
        self.fragment_position_bias_table = nn.Parameter(torch.zeros(offsets, self.heads)) if gated else None
        self.register_buffer("relative_position_index", _relative_position_index())
        self.qkv = Linear(width, 3 * width)
        self.proj = Linear(width, width)

    def bias(self, windows: Windows) -> Tensor:
        """What is added to the logits, contiguous: (depth windows or 1 when they are all alike, plane windows or 1, heads, n, keys).

        Keys beyond n are none: -inf. They make a window's keys whole vectors where that is faster.

        Pairs of tokens `gap` fragments apart get F + (R - F) * gap from the tables F (fragment) and R (relative): F within a fragment, R one
        fragment apart, extrapolated beyond. Windows smaller than `WINDOW` use the top left block of the index, as trained.
        """
        n = windows.tokens_per_window
        index = self.relative_position_index[:n, :n].reshape(-1)
        bias = self.relative_position_bias_table.t()[:, index].view(1, self.heads, n, n)
        if self.fragment_position_bias_table is not None:
            fragment = self.fragment_position_bias_table.t()[:, index].view(1, self.heads, n, n)
            bias = torch.addcmul(fragment, bias - fragment, windows.fragment_gap().unsqueeze(1))
        bias = bias.unsqueeze(0)
        mask = windows.region_mask()
        if mask is not None:
            bias = bias + mask.unsqueeze(2)
        return F.pad(bias, (0, _keys(bias) - n), value=-torch.inf).to(self.qkv.weight.dtype).contiguous()

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """(batch, depth windows, plane windows, n, C) with a `bias` of that many (or 1) windows -> the same shape."""
        batch, deep, plane, n, width = x.shape
        keys = bias.shape[-1]
        qkv = self.qkv(F.pad(x, (0, 0, 0, keys - n))).view(batch, deep, plane, keys, 3, self.heads, HEAD_WIDTH).permute(4, 0, 1, 2, 5, 3, 6)
        q, k, v = qkv[0, ..., :n, :], qkv[1], qkv[2]
        bias = bias.expand(deep, plane, -1, -1, -1)
        mixed = [F.scaled_dot_product_attention(q[b, d], k[b, d], v[b, d], attn_mask=bias[d]).transpose(1, 2) for b in range(batch) for d in range(deep)]
        mixed = mixed[0] if len(mixed) == 1 else torch.stack(mixed)
        return self.proj(mixed.reshape(batch, deep, plane, n, width))


def _keys(bias: Tensor) -> int:
    """How many keys a window's logits get: n, on a CPU the next multiple of `CPU_VECTOR`."""
    n = bias.shape[-1]
    return n if rows_at_once(bias) is None else -(-n // CPU_VECTOR) * CPU_VECTOR


def _relative_position_index() -> Tensor:
    """(n, n) rows of the bias tables for the n = 8 x 7 x 7 tokens of a whole window."""
    place = torch.cartesian_prod(*(torch.arange(side) for side in WINDOW))
    offset = place.unsqueeze(1) - place.unsqueeze(0) + torch.tensor([side - 1 for side in WINDOW])
    return (offset[..., 0] * (2 * WINDOW[1] - 1) + offset[..., 1]) * (2 * WINDOW[2] - 1) + offset[..., 2]


class Mlp(nn.Module):
    """C -> 4 C, GELU, -> C."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = Linear(width, 4 * width, activation="gelu")
        self.fc2 = Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., width)."""
        return self.fc2(self.fc1(x))


class Block(nn.Module):
    """x + Attn(LN(x)), then x + Mlp(LN(x)), windows by windows: each token lies in one window, so both are done while it is in the cache."""

    def __init__(self, width: int, *, shifted: bool, gated: bool) -> None:
        super().__init__()
        self.shifted = shifted
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, gated=gated)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width)
        self._bias: tuple[Windows, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(N, D, H, W, C) -> the same tensor, changed."""
        batch, *grid, width = x.shape
        windows = windows_of(tuple(grid), shifted=self.shifted, device=x.device)
        bias, tokens, inside = self._bias_of(windows), windows.tokens, windows.inside
        flat = x.view(batch, -1, width)
        for clips, deep, plane in _parts(x, windows):
            self._advance(flat[clips], tokens[deep, plane], inside[deep, plane] if windows.padded else None, _slice(_slice(bias, 0, deep), 1, plane))
        return x

    def _advance(self, tokens: Tensor, index: Tensor, inside: Tensor | None, bias: Tensor) -> None:
        batch, _, width = tokens.shape
        x = tokens.index_select(1, index.reshape(-1)).view(batch, *index.shape, width)
        normed = self.norm1(x)
        if inside is not None:
            normed = normed * inside.unsqueeze(-1)
        x += self.attn(normed, bias)
        x += self.mlp(self.norm2(x))
        x, index = x.flatten(1, 3), index.reshape(-1)
        if inside is not None:
            x, index = x[:, inside.reshape(-1)], index[inside.reshape(-1)]
        tokens.index_copy_(1, index, x)

    def _bias_of(self, windows: Windows) -> Tensor:
        """The bias is the same for all clips of a size, while the weights stay: kept for the last size seen, but worked out anew within an exported graph."""
        if torch.compiler.is_compiling():
            return self.attn.bias(windows)
        dtype = self.attn.qkv.weight.dtype
        if self._bias is None or self._bias[0] is not windows or self._bias[1].dtype != dtype:
            self._bias = (windows, self.attn.bias(windows))
        return self._bias[1]


def _parts(x: Tensor, windows: Windows) -> list[tuple[slice, slice, slice]]:
    """Ranges of (clips, depth windows, plane windows) that are worked on together; the same windows of all clips in a row, while their bias is near."""
    rows = rows_at_once(x)
    everything = slice(None)
    if rows is None:
        return [(everything, everything, everything)]
    deep, plane, n = windows.tokens.shape
    step = max(1, rows // n)
    return [(slice(b, b + 1), slice(d, d + 1), slice(w, w + step)) for d in range(deep) for w in range(0, plane, step) for b in range(x.shape[0])]


def _slice(bias: Tensor, axis: int, part: slice) -> Tensor:
    """`part` of an axis, or the one entry that serves all of it."""
    if bias.shape[axis] == 1 or part == slice(None):
        return bias
    return bias.narrow(axis, part.start, min(part.stop, bias.shape[axis]) - part.start)


class PatchMerging(nn.Module):
    """(N, D, H, W, C) -> (N, D, ceil(H / 2), ceil(W / 2), 2 C)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduction = Linear(4 * width, 2 * width, bias=False)
        self.norm = nn.LayerNorm(4 * width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) -> (N, T, ceil(H / 2), ceil(W / 2), 2 C) in float32."""
        x = F.pad(x, (0, 0, 0, x.shape[3] % 2, 0, x.shape[2] % 2))
        phases = [x[:, :, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.reduction(self.norm(torch.cat(phases, dim=-1))).float()


class Stage(nn.Module):
    """Blocks, plain and shifted in turn; then merging, but in the last stage."""

    def __init__(self, number: int) -> None:
        super().__init__()
        width = WIDTHS[number]
        self.blocks = nn.ModuleList(Block(width, shifted=block % 2 == 1, gated=number < GATED_STAGES) for block in range(DEPTHS[number]))
        self.downsample = PatchMerging(width) if number + 1 < len(WIDTHS) else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) -> the same shape in the last stage, merged as by `PatchMerging` in the others."""
        for block in self.blocks:
            x = block(x)
        return x if self.downsample is None else self.downsample(x)


class TechnicalBackbone(nn.Module):
    """(N, 3, T, H, W) normalised -> (N, 768, ceil(T / 2), H / 32, W / 32) features."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = PatchEmbedding()
        self.layers = nn.ModuleList(Stage(number) for number in range(len(WIDTHS)))
        self.norm = nn.LayerNorm(WIDTHS[-1])

    def forward(self, video: Tensor) -> Tensor:
        """(N, 3, T, H, W) normalised -> (N, 768, ceil(T / 2), H / 32, W / 32) in float32."""
        x = self.patch_embed(video)
        for stage in self.layers:
            x = stage(x)
        return self.norm(x).permute(0, 4, 1, 2, 3)
