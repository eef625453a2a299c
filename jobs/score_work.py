"""How much work a clip is to score: what the first batch of a run is sized by (scale.md rule 6)."""

from typing import Any

from udfs.score_worker import ScoringPlan

DOVER_S = 9.0
"""DOVER's networks on one core, a clip (docs/measured.md, `dover_cpu`)."""
POINT_FRAME_S = 0.0033
"""CoTracker3 on one core, a point in a frame (docs/measured.md, `cotracker3_cpu`)."""
SEGMENTS = 3


def work_s(clip: dict[str, Any], plan: ScoringPlan) -> float:
    """Rough seconds of one slot for the pending scorers of a clip: its length, more for large pictures, and the networks on a CPU.

    A GPU's networks are not counted: it works while its cores decode.
    """
    duration_s = clip["end_s"] - clip["start_s"]
    seconds = 0.3 + duration_s * max(0.2, clip["width"] * clip["height"] / 2e6)
    if plan.device != "cpu":
        return seconds
    if "dover" in clip["scorers"]:
        seconds += DOVER_S
    if "cotracker" in clip["scorers"]:
        config = dict(plan.configs)["cotracker"]
        tracked_s = min(duration_s, config.segment_s) * min(SEGMENTS, max(1, -(-duration_s // config.segment_s)))
        seconds += POINT_FRAME_S * config.points_per_side**2 * config.frames_per_s * tracked_s
    return seconds
