"""Scores from random weights are named first, wherever results are told (law 5)."""

from typing import TYPE_CHECKING

from schemas.scores import SHOWN

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def random_scorers(engine: "DuckDBPyConnection", relation: str) -> dict[str, int]:
    """Clips by scorer whose scores in `relation` (rows of `clip_metadata`) come from random weights."""
    counted = ", ".join(f"count(*) FILTER (starts_with({name}.fingerprint, 'random:'))" for name in SHOWN)
    (row,) = engine.execute(f"SELECT {counted} FROM {relation}").fetchall()
    return {name: clips for name, clips in zip(SHOWN, row, strict=True) if clips}


def sentences(random: dict[str, int], clips: int) -> list[str]:
    """A sentence for each scorer in question."""
    return [f"RANDOM WEIGHTS: {scorer} scores of {count} of {clips} clips mean nothing" for scorer, count in random.items()]
