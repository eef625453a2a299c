"""Which weights made the scores, and under which licences."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.scores import SHOWN
from udfs import weights
from udfs.registry import available_scorers, build, scorer_fingerprint
from udfs.weights_manifest import Weight

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SEGMENTATION = ("transnetv2", "silero-vad")
"""Weights that `segment` uses with its default detector."""


@dataclass(frozen=True)
class Used:
    """Results of one kind: their fingerprint, how many clips have it, and the weights that made them.

    `weights` is None where this installation would not give that fingerprint, so that it cannot tell.
    """

    stage: str
    fingerprint: str
    clips: int
    weights: tuple[Weight, ...] | None


def used(engine: "DuckDBPyConnection") -> list[Used]:
    """Segmentation and every scorer that clips have results of, by fingerprint."""
    rows = engine.execute(
        "SELECT fingerprint, sum(coalesce(clips, 0)) FROM segmentations WHERE outcome = 'with_clips' GROUP BY fingerprint ORDER BY fingerprint"
    ).fetchall()
    found = [Used("segment", fingerprint, int(clips), tuple(weights.entry(name) for name in SEGMENTATION)) for fingerprint, clips in rows]
    here = {scorer.name: scorer for scorer in build(available_scorers()[0])}
    for name in SHOWN:
        rows = engine.execute(f"SELECT {name}.fingerprint AS made, count(*) FROM clip_metadata WHERE {name} IS NOT NULL GROUP BY made ORDER BY made").fetchall()
        for fingerprint, clips in rows:
            same = name in here and scorer_fingerprint(here[name]) == fingerprint
            found.append(Used(name, fingerprint, clips, tuple(weights.entry(weight) for weight in here[name].weights) if same else None))
    return found
