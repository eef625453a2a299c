"""The scorer `flow` over textures whose motion is known."""

import cv2
import numpy as np
import pytest

from schemas.scores import STORED
from tests.udfs.watching import clip_of, watch
from udfs.flow import Flow
from udfs.point_tracks import changed_share, track

HEIGHT, WIDTH = 480, 640


def texture(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (HEIGHT + 200, WIDTH + 200), dtype=np.uint8)
    grey = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)


def moved(picture: np.ndarray, right_px: float, down_px: float) -> np.ndarray:
    """The 480x640 window of `picture` in which everything has moved so far from where it was."""
    place = np.float32([[1, 0, right_px - 100], [0, 1, down_px - 100]])
    return cv2.warpAffine(picture, place, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)


def pan(step_px: float, count: int = 25, fps_ratio: float = 1.0) -> list[np.ndarray]:
    picture = texture()
    return [moved(picture, step_px * fps_ratio * index, 0) for index in range(count)]


def test_values_are_those_the_table_stores():
    assert set(watch(Flow(), pan(1, 10))) == {field.name for field in STORED["flow"]}


def test_steady_pan_has_its_displacement_and_no_shake():
    values = watch(Flow(), pan(2.0))
    assert values["mean_px"] == pytest.approx(2.0, abs=0.05)
    assert values["p95_px"] == pytest.approx(2.0, abs=0.1)
    assert values["shake"] < 0.05
    assert values["survival"] > 0.9
    assert values["frozen"] == 0


def test_displacement_does_not_depend_on_the_frame_rate():
    values = watch(Flow(), pan(2.0, count=60, fps_ratio=25 / 60), fps=60)
    assert values["mean_px"] == pytest.approx(2.0, abs=0.05)


def test_displacement_does_not_depend_on_the_resolution():
    doubled = [cv2.resize(frame, None, fx=2, fy=2) for frame in pan(2.0, 15)]
    assert watch(Flow(), doubled)["mean_px"] == pytest.approx(2.0, abs=0.1)


def test_variable_frame_rate_is_followed_by_timestamps():
    picture = texture()
    times = [0.0, 0.03, 0.1, 0.13, 0.22, 0.25, 0.34, 0.4, 0.42, 0.5, 0.55, 0.62, 0.7, 0.8, 0.84, 0.9, 1.0]
    frames = [moved(picture, 50 * time_s, 0) for time_s in times]
    assert watch(Flow(), frames, times_s=times)["mean_px"] == pytest.approx(2.0, abs=0.05)


def test_shake_is_the_change_of_the_global_motion():
    picture = texture()
    jerky = [moved(picture, 6.0 if (index // 2) % 2 else 0.0, 0) for index in range(25)]
    # steps of 0.08 s go to and fro by 6 px: 3 px per 1/25 s, so the motion changes by 6 from step to step
    assert watch(Flow(), jerky)["shake"] == pytest.approx(6.0, abs=0.2)


@pytest.mark.parametrize("fps", [5.0, 10.0, 24.0])
def test_shake_is_known_at_low_frame_rates_too(fps):
    picture = texture()
    frames = [moved(picture, 1.0 * 25 / fps * (index % 2), 0) for index in range(round(3 * fps))]
    assert watch(Flow(), frames, fps=fps)["shake"] is not None


def test_still_picture_is_frozen_and_keeps_all_its_points():
    values = watch(Flow(), [moved(texture(), 0, 0)] * 25)
    assert values == {"survival": 1.0, "mean_px": 0.0, "p95_px": 0.0, "shake": 0.0, "frozen": 1.0}


def test_half_a_clip_that_stands_still_is_half_frozen():
    frames = pan(2.0, 100)
    assert watch(Flow(), frames[:50] + [frames[50]] * 50)["frozen"] == pytest.approx(0.5, abs=0.07)


def test_noise_has_little_survival():
    random = np.random.default_rng(1)
    frames = [random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8) for _ in range(8)]
    assert watch(Flow(), frames)["survival"] < 0.2


def test_black_clip_has_nothing_to_follow():
    values = watch(Flow(), [np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * 25)
    assert values == {"survival": None, "mean_px": None, "p95_px": None, "shake": None, "frozen": 1.0}


def test_single_frame_has_no_step():
    assert set(watch(Flow(), pan(1, 1)).values()) == {None}


def test_one_frame_a_second_cannot_be_followed():
    assert set(watch(Flow(), pan(1, 5), fps=1.0).values()) == {None}


def test_same_clip_gives_the_same_numbers():
    frames = pan(1.3, 20)
    assert watch(Flow(), frames) == watch(Flow(), frames)


def test_changed_share_counts_pixels_beyond_what_encoders_change():
    before = np.zeros((10, 10), np.uint8)
    after = before.copy()
    after[0, :4] = (4, 5, 5, 200)
    assert changed_share(before, after) == pytest.approx(0.03)


def test_track_follows_corners_there_and_back():
    picture = texture()[:, :, 0]
    tried, motion = track(picture[100:400, 100:500], picture[97:397, 105:505])
    assert tried >= 50
    assert np.median(motion, axis=0) == pytest.approx([-5, 3], abs=0.05)


def test_thirty_seconds_of_full_hd_stay_small():
    frame = np.zeros((1080, 1920, 3), np.uint8)
    clip = clip_of([frame], [0.0], 30.0)
    scorer = Flow()
    plan = scorer.plan(clip, [index / 30 for index in range(900)])
    assert len(plan) * scorer.reduce(clip, frame, 0).nbytes < 30e6
