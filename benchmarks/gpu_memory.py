"""How much memory of a GPU a program needs, as told by a GPU that has more."""

import gc

import torch

CONTEXT_BYTES = 500_000_000
"""What CUDA and its libraries take beside what torch reserves, about."""


def begin() -> None:
    """Count from here on; what is held now counts."""
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()


def needed_bytes() -> int:
    """The most since `begin`: what torch reserved, which is more than its tensors took, and the context."""
    return torch.cuda.max_memory_reserved() + CONTEXT_BYTES


def fits(needed: float, size_gb: float) -> bool:
    """Whether a GPU sold with so many GB (10^9 bytes) has `needed` bytes."""
    return needed <= size_gb * 1e9
