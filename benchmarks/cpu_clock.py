"""CPU time, peak memory and the yardstick of the network benchmarks: a plain matrix product in the same process."""

import resource
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def cpu_seconds(work: Callable[[], Result]) -> tuple[Result, float]:
    """What `work` returns, and the CPU seconds (user + system, all threads) it took."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def peak_gib() -> float:
    """Largest resident size of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def product_seconds(multiply_accumulates: float, side: int = 2048, repeats: int = 5) -> float:
    """CPU seconds a plain float32 `a @ b` of square matrices needs for so many multiply-accumulates (median of `repeats`)."""
    import torch

    a, b = torch.randn(side, side), torch.randn(side, side)
    torch.mm(a, b)
    times = sorted(cpu_seconds(lambda: torch.mm(a, b))[1] for _ in range(repeats))
    return times[repeats // 2] * multiply_accumulates / side**3
