"""One face is what upstream's tracker takes for one: boxes that overlap, large enough, long enough."""

import numpy as np

from inference.metrics.face_run import longest_run, side_px


def seen(*times_s: float, left: float = 0.0, side: float = 200.0) -> list[dict]:
    return [{"time_s": time_s, "box": [left, 0.0, left + side, side]} for time_s in times_s]


def test_two_faces_in_turns_are_two_and_the_one_seen_longer_is_taken():
    looks = np.arange(20) / 5
    turns = sorted(seen(*looks[::2]) + seen(*looks[1:16:2], left=390.0), key=lambda face: face["time_s"])
    assert longest_run(turns) == seen(*looks[::2])


def test_a_face_moves_but_does_not_jump():
    moving = [one for number in range(10) for one in seen(number / 5, left=30.0 * number)]
    assert longest_run(moving) == moving
    jumped = moving + [one for number in range(10, 13) for one in seen(number / 5, left=800.0)]
    assert longest_run(jumped) == moving
    assert longest_run(seen(0.0, 1.0, 3.0)) == seen(0.0, 1.0), "too long unseen"
    assert longest_run(seen(0.0, 0.4)) == longest_run([]) == []


def test_a_face_is_as_large_as_its_mean_side():
    assert side_px(seen(0.0, side=60.0) + seen(1.0, side=80.0)) == 70
