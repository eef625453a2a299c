"""Convolutions in float32 that are float32 on a GPU too."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def true_float32() -> Iterator[None]:
    """Meanwhile cuDNN rounds no float32 to TF32, which torch lets its convolutions do by default. Also a decorator. A CPU is not concerned."""
    # torch's own context manager switches cuDNN off unless told otherwise
    with torch.backends.cudnn.flags(enabled=torch.backends.cudnn.enabled, allow_tf32=False):
        yield
