"""CPU time, peak memory and the yardstick of the network benchmarks: a plain matrix product in the same process."""

import resource
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

Result = TypeVar("Result")
PRODUCT = "plain product of that size"


def cpu_seconds(work: Callable[[], Result]) -> tuple[Result, float]:
    """What `work` returns, and the CPU seconds (user + system, all threads) it took, those of child processes that ended meanwhile included."""
    start = _spent_s()
    result = work()
    return result, _spent_s() - start


def _spent_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def peak_gib() -> float:
    """Largest resident size of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def side_by_side(steps: dict[str, Callable[[], object]], multiply_accumulates: float, rounds: int) -> list[dict[str, float]]:
    """CPU seconds of each step in each of `rounds`, a plain product of that size (`PRODUCT`) before and after every step and averaged over the round.

    A processor shared with others changes its speed within minutes: what is compared has to be measured in turns.
    """
    table = []
    for _ in range(rounds):
        products, row = [product_seconds(multiply_accumulates)], {}
        for name, step in steps.items():
            row[name] = cpu_seconds(step)[1]
            products.append(product_seconds(multiply_accumulates))
        table.append(row | {PRODUCT: sum(products) / len(products)})
    return table


def median_of(values: Iterable[float]) -> float:
    """The middle one; of an even number the larger of the two in the middle."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


def product_seconds(multiply_accumulates: float, side: int = 2048, repeats: int = 5) -> float:
    """CPU seconds a plain float32 `a @ b` of square matrices needs for so many multiply-accumulates (median of `repeats`)."""
    import torch

    a, b = torch.randn(side, side), torch.randn(side, side)
    torch.mm(a, b)
    return median_of(cpu_seconds(lambda: torch.mm(a, b))[1] for _ in range(repeats)) * multiply_accumulates / side**3
