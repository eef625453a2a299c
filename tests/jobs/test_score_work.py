"""What a clip is thought to cost."""

from jobs.score_work import DOVER_S, work_s
from udfs.cotracker import CoTrackerConfig
from udfs.score_worker import ScoringPlan


def weight(*scorers: str, duration_s: float = 5.0, device: str = "cpu", points_per_side: int = 100) -> float:
    """Work of a clip of 1080p that these scorers shall measure."""
    clip = {"start_s": 1.0, "end_s": 1.0 + duration_s, "width": 1920, "height": 1080, "scorers": list(scorers)}
    return work_s(clip, ScoringPlan((), (("cotracker", CoTrackerConfig(points_per_side=points_per_side)),), device))


def test_networks_on_a_cpu_count_and_those_on_a_gpu_do_not():
    assert weight("technical", "dover") == weight("technical") + DOVER_S
    assert weight("cotracker") > 300
    assert weight("cotracker", "dover", device="cuda") == weight("technical", device="cuda") == weight("technical")


def test_tracking_grows_with_the_points_and_up_to_three_segments():
    assert weight("cotracker", points_per_side=32) < weight("cotracker") / 8
    tracking = [weight("cotracker", duration_s=seconds) - weight(duration_s=seconds) for seconds in (6.0, 12.0, 18.0, 60.0)]
    assert [round(value / tracking[0], 6) for value in tracking] == [1.0, 2.0, 3.0, 3.0]
