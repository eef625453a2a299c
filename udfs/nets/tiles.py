"""Work cut into pieces that fit a CPU's caches; a GPU takes it whole."""

import ctypes
import functools
import platform

import torch
from torch import Tensor

CPU_ROWS = 3136
"""Rows of tokens that one CPU pass takes: their widest layer stays near the size of a last-level cache."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def rows_at_once(x: Tensor) -> int | None:
    """How many rows of `x` to work on at once; None = all of them (on a GPU, and while a graph is exported)."""
    return CPU_ROWS if x.device.type == "cpu" and not torch.compiler.is_compiling() else None


def row_tiles(x: Tensor) -> tuple[Tensor, ...]:
    """Views of a contiguous (..., channels) tensor, each (rows, channels), that cover it once, in order."""
    rows = x.view(-1, x.shape[-1])
    return rows.split(rows_at_once(x) or max(rows.shape[0], 1))


@functools.cache
def keep_freed_memory() -> bool:
    """Let glibc keep freed buffers of up to 1 GiB rather than return them to the system and fault them in again (dover.md §9 a).

    For the whole process, so a scorer calls it in `setup`, never a module at import. False where the C library is another one.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return bool(libc.mallopt(M_MMAP_THRESHOLD, 1 << 30) and libc.mallopt(M_TRIM_THRESHOLD, 1 << 30))
