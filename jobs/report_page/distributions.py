"""Score distributions, with the policy's thresholds."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.clip_metadata import TABLE
from schemas.policy import Policy, Rule
from schemas.policy_columns import rule_columns
from schemas.policy_sql import passes_sql
from schemas.scores import SHOWN

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BINS = 36
TAIL = 0.005
"""Share of clips at either end that is put into the outermost bins, so that one outlier does not flatten the plot."""


@dataclass(frozen=True)
class Histogram:
    """Clips by the value of one column, in `BINS` equal steps from the first of `ticks` to the last.

    `rules` are those that look at it; `failing` are the clips of each bin that do not meet them.
    """

    column: str
    about: str
    rules: tuple[Rule, ...]
    ticks: tuple[float, ...]
    counts: tuple[int, ...]
    failing: tuple[int, ...]
    median: float
    values: int
    missing: int

    @property
    def thresholds(self) -> list[float]:
        """Every threshold on this column, ascending."""
        return sorted({value for rule in self.rules for value in _numbers(rule)})

    def place(self, value: float) -> float:
        """Where a value lies on the axis, 0 to 1."""
        return (value - self.ticks[0]) / (self.ticks[-1] - self.ticks[0])


def histograms(engine: "DuckDBPyConnection", policy: Policy) -> list[Histogram]:
    """Columns that the policy looks at, in its order, then the other scores that were measured."""
    judged = list(dict.fromkeys(rule.column for rule in policy.rules if rule_columns()[rule.column] != "boolean"))
    scores = [column for column, kind in rule_columns().items() if kind != "boolean" and column.partition(".")[0] in SHOWN]
    made = [_histogram(engine, column, tuple(rule for rule in policy.rules if rule.column == column)) for column in dict.fromkeys(judged + scores)]
    return [histogram for histogram in made if histogram is not None]


def _histogram(engine: "DuckDBPyConnection", column: str, rules: tuple[Rule, ...]) -> Histogram | None:
    """None where no clip has a value."""
    passes = " AND ".join(map(passes_sql, rules)) or "true"
    values = f"SELECT CAST({column} AS DOUBLE) AS x, {passes} AS passes FROM judged WHERE {column} IS NOT NULL AND NOT isnan(CAST({column} AS DOUBLE))"
    (row,) = engine.execute(f"SELECT quantile_cont(x, [{TAIL}, 0.5, {1 - TAIL}]), count(*), (SELECT count(*) FROM judged) FROM ({values})").fetchall()
    quantiles, count, clips = row
    if not count:
        return None
    ends = [quantiles[0], quantiles[2], *(value for rule in rules for value in _numbers(rule))]
    ticks = nice_ticks(min(ends), max(ends))
    step = (ticks[-1] - ticks[0]) / BINS
    binned = f"SELECT passes, least({BINS - 1}, greatest(0, CAST(floor((x - {ticks[0]!r}::DOUBLE) / {step!r}::DOUBLE) AS INTEGER))) AS bin FROM ({values})"
    found = engine.execute(f"SELECT bin, count(*), count(*) FILTER (NOT passes) FROM ({binned}) GROUP BY bin").fetchall()
    counts = {bin_: clips_in_bin for bin_, clips_in_bin, _ in found}
    failing = {bin_: failing_in_bin for bin_, _, failing_in_bin in found}
    bins = range(BINS)
    return Histogram(
        column,
        _about(column),
        rules,
        ticks,
        tuple(counts.get(index, 0) for index in bins),
        tuple(failing.get(index, 0) for index in bins),
        quantiles[1],
        count,
        clips - count,
    )


def nice_ticks(low: float, high: float) -> tuple[float, ...]:
    """Three to seven round numbers, evenly spaced, that reach from `low` or below to `high` or above."""
    if high <= low:
        low, high = low - (abs(low) or 1.0) / 10, high + (abs(high) or 1.0) / 10
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(round(index * step, 12) for index in range(first, last + 1))


def _numbers(rule: Rule) -> tuple[float, ...]:
    if rule.value is None or isinstance(rule.value, bool):
        return ()
    return rule.value if isinstance(rule.value, tuple) else (rule.value,)


def _about(column: str) -> str:
    """The column's comment in the schema."""
    name, _, leaf = column.partition(".")
    field = TABLE.schema.field(name)
    field = field.type.field(leaf) if leaf else field
    return field.metadata[b"comment"].decode()
