"""Candidates for gradual transitions, and windows around them."""

import numpy as np
import pytest

from udfs.shots.candidates import ColourChange, colour_histogram
from udfs.shots.windows import RecentFrames, Window


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (27, 48, 3)).astype(np.uint8) // (seed + 1) + 20 * seed


def fade(before: np.ndarray, after: np.ndarray, still: int, length: int) -> list[np.ndarray]:
    mixed = [(before * (1 - share) + after * share).astype(np.uint8) for share in np.linspace(0, 1, length)]
    return [before] * still + mixed + [after] * still


def candidates(frames: list[np.ndarray], rate: float = 25.0) -> tuple[list[int], list[int]]:
    """Candidates, and by how many frames each was told later."""
    change = ColourChange(rate)
    found, delays = [], []
    for number, frame in enumerate(frames):
        for moment in change.feed(frame):
            found.append(moment)
            delays.append(number - moment)
    assert all(delay == change.delay for delay in delays)
    return found + change.finish(), delays


@pytest.mark.parametrize("rate, length", [(25.0, 25), (30.0, 15), (50.0, 75)])
def test_slow_change_is_a_candidate_near_its_middle(rate, length):
    still = round(3 * rate)
    (found,), _ = candidates(fade(picture(0), picture(3), still, length), rate)
    assert abs(found - (still + length / 2)) <= 0.6 * rate


def test_change_close_to_the_end_is_told_at_the_end():
    frames = fade(picture(0), picture(3), 40, 10)[:75]
    (found,), delays = candidates(frames)
    assert 30 <= found <= 60 and delays == []


def test_still_picture_has_no_candidate():
    assert candidates([picture(1)] * 200) == ([], [])


def test_flash_is_no_candidate():
    assert candidates([picture(1)] * 60 + [picture(5)] * 2 + [picture(1)] * 60)[0] == []


def test_video_shorter_than_what_is_compared_has_no_candidate():
    assert candidates(fade(picture(0), picture(3), 5, 5))[0] == []


def test_running_sums_are_the_means_they_stand_for():
    frames = [picture(seed % 7) for seed in range(120)]
    change = ColourChange(25.0)
    shares = np.stack([colour_histogram(frame) for frame in frames])
    for number, frame in enumerate(frames):
        change.feed(frame)
        moment = number - 19
        if moment >= 20:
            assert np.allclose(change._before, shares[moment - 20 : moment - 10].sum(0))
            assert np.allclose(change._after, shares[moment + 10 : moment + 20].sum(0))


def test_window_beyond_the_ends_repeats_the_end_frames_and_turns_bgr_into_rgb():
    recent = RecentFrames(10)
    for value in range(4):
        recent.append(np.full((1, 1, 3), (value, 100, 200), np.uint8))
    stacked = recent.stack(Window(-2, 4, 2, 0))
    assert stacked[:, 0, 0].tolist() == [[200, 100, 0], [200, 100, 0], [200, 100, 2], [200, 100, 3]]


def test_window_over_frames_that_are_gone_is_an_error():
    recent = RecentFrames(3)
    for value in range(6):
        recent.append(np.full((1, 1, 3), value, np.uint8))
    with pytest.raises(ValueError, match="gone"):
        recent.stack(Window(0, 4, 1, 0))
