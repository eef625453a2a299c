"""Convolutions in float32 that are float32 on a GPU too."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def true_float32() -> Iterator[None]:
    """Meanwhile cuDNN rounds no float32 to TF32, which torch lets its convolutions do by default. Also a decorator. A CPU is not concerned."""
    cudnn = torch.backends.cudnn
    # torch's own context manager resets what it is not told: it would switch cuDNN off
    with cudnn.flags(cudnn.enabled, cudnn.benchmark, deterministic=cudnn.deterministic, allow_tf32=False):
        yield
