"""CPU time, peak memory and the yardstick of the network benchmarks: a plain matrix product in the same process."""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median_high
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


@dataclass(frozen=True)
class Rounds:
    """CPU seconds by name, of steps and of the product beside them (`PRODUCT`), in each round."""

    rows: tuple[dict[str, float], ...]

    @property
    def medians_s(self) -> dict[str, float]:
        """The middle round of every step and of the product; of an even number the larger of the two in the middle."""
        return {name: median_high(row[name] for row in self.rows) for name in self.rows[0]}

    @property
    def totals_s(self) -> list[float]:
        """All steps together, in each round."""
        return [sum(seconds for name, seconds in row.items() if name != PRODUCT) for row in self.rows]

    @property
    def ratios(self) -> list[float]:
        """All steps together over the product of the same round."""
        return [total_s / row[PRODUCT] for total_s, row in zip(self.totals_s, self.rows, strict=True)]

    def ratio_line(self, width: int) -> str:
        """The middle, least and largest ratio, after a heading so wide."""
        return f"{'ratio to the product':{width}s} {median_high(self.ratios):8.2f} ({min(self.ratios):.2f} to {max(self.ratios):.2f})"


def side_by_side(steps: dict[str, Callable[[], object]], multiply_accumulates: float, rounds: int) -> Rounds:
    """CPU seconds of each step in each of `rounds`, a plain product of that size before and after every step and averaged over the round.

    A processor shared with others changes its speed within minutes: what is compared has to be measured in turns.
    """
    table = []
    for _ in range(rounds):
        products, row = [product_seconds(multiply_accumulates)], {}
        for name, step in steps.items():
            row[name] = cpu_seconds(step)[1]
            products.append(product_seconds(multiply_accumulates))
        table.append(row | {PRODUCT: sum(products) / len(products)})
    return Rounds(tuple(table))


def product_seconds(multiply_accumulates: float, side: int = 2048, repeats: int = 5) -> float:
    """CPU seconds a plain float32 `a @ b` of square matrices needs for so many multiply-accumulates (median of `repeats`)."""
    import torch

    a, b = torch.randn(side, side), torch.randn(side, side)
    torch.mm(a, b)
    return median_high(cpu_seconds(lambda: torch.mm(a, b))[1] for _ in range(repeats)) * multiply_accumulates / side**3
