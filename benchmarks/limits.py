"""What a benchmark's numbers are held to."""

import math
import sys
from collections.abc import Iterable, Mapping


def largest(values: Iterable[float]) -> float:
    """The largest of them, 0 of none. What is no number counts as infinite."""
    return max((math.inf if math.isnan(value) else float(value) for value in values), default=0.0)


def judged(limits: Mapping[str, bool]) -> None:
    """End with exit status 1 and one line that names what is missed, if anything is; `limits` says of each sentence whether it is true."""
    missed = [limit for limit, kept in limits.items() if not kept]
    if missed:
        sys.exit(f"missed: {'; '.join(missed)}")
