"""Numbers of a whole video that lie in a file: as the video grows, the disk fills, not the memory."""

import mmap
import os
import tempfile
from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from schemas.codes import Rejected
from schemas.scratch import scratch_folder

RESIDENT_BYTES = 16 << 20
"""Of one such file, about what may stay in memory between two calls of `touched`."""


class OnDisk:
    """`tensor`, of the given shape and type, begins with zeros and is used like any other; its file has no name and is gone with it.

    Call `touched` with the bytes that were read or written, so that pages go out of this process's memory once enough of them have come in.
    Raises `Rejected` (`too_large`) where the scratch folder has no room for it.
    """

    def __init__(self, shape: Sequence[int], dtype: torch.dtype = torch.float32) -> None:
        size = max(1, prod(shape) * dtype.itemsize)
        folder = scratch_folder()
        with tempfile.TemporaryFile(dir=folder) as file:
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:
                raise Rejected("too_large", f"{folder} has no room for {size >> 20} MiB: {error.strerror}; TALKVID_SCRATCH names another folder") from error
            self._pages = mmap.mmap(file.fileno(), size)
        self.tensor: Tensor = torch.frombuffer(self._pages, dtype=dtype, count=prod(shape)).view(tuple(shape))
        self._left = RESIDENT_BYTES

    @classmethod
    def holding(cls, numbers: Tensor) -> "OnDisk":
        """A copy of `numbers`."""
        made = cls(numbers.shape, numbers.dtype)
        made.tensor.copy_(numbers)
        return made

    def touched(self, size: int) -> None:
        """So many bytes have come into memory."""
        self._left -= size
        if self._left <= 0:
            self._pages.madvise(mmap.MADV_DONTNEED)
            self._left = RESIDENT_BYTES
