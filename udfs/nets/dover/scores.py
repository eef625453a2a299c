"""From DOVER's two raw scores to the numbers people compare (dover.md §4 and §7, talkvid.md §2.4)."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class ReferenceSet:
    """Mean and population deviation of DOVER's raw *technical* scores over the `videos` of a public data set."""

    name: str
    videos: int
    mean: float
    deviation: float


REFERENCE_SETS = (
    ReferenceSet("LIVE-VQC", 585, -0.08271628358743639, 0.03773112440064705),
    ReferenceSet("KoNViD-1k", 1200, -0.1108095946504424, 0.04164084190730977),
    ReferenceSet("LSVQ-test", 7186, -0.10476808999578571, 0.04416020929114356),
    ReferenceSet("LSVQ-1080p", 3573, -0.08935492533008733, 0.04157141312401202),
    ReferenceSet("YouTube-UGC", 1147, -0.10473912158199856, 0.03982320857934691),
)


def overall(aesthetic: float, technical: float) -> float:
    """Fused score, 0..1, of a video's raw scores."""
    fused = 0.6104 * (aesthetic - 0.1107) / 0.07355 + 0.3896 * (technical + 0.08285) / 0.03774
    return 1 / (1 + math.exp(-fused))


def dover_scores(aesthetic: float) -> float:
    """TalkVid's released `dover_scores`, two decimals: the mean z-score of the raw *aesthetic* score among *technical* reference scores.

    The mismatch is the released script's: its network gives the aesthetic score first, its table expects the technical one. Published values and
    thresholds are on this scale, so it is kept. The video itself counts as a member of each reference set.
    """
    return round(sum(_z_score(aesthetic, reference) for reference in REFERENCE_SETS) / len(REFERENCE_SETS), 2)


def _z_score(value: float, reference: ReferenceSet) -> float:
    n, mean, deviation = reference.videos, reference.mean, reference.deviation
    joint_mean = (n * mean + value) / (n + 1)
    joint_variance = (n * (deviation**2 + mean**2) + value**2) / (n + 1) - joint_mean**2
    return (value - joint_mean) / math.sqrt(joint_variance)
