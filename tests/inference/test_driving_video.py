"""Key points of a driving video: where they lie, and when."""

import numpy as np
import pytest

from inference.driving_video import driving_keypoints
from inference.retargeting import retargeted
from schemas.codes import Rejected
from tests.inference.marked_faces import FACE, MarkFinder, marked_video

SIZE, MADE = (192, 128), (96, 80)
"""Of the driving video and of the picture to make: another shape, and smaller."""
SPEED = np.array([40, 20], np.float32)
"""Of the face, in px a second: whole px from frame to frame at 10 fps."""
NEAR_PX = 0.8
"""A little more than a pixel of the driving video, in px of the picture to make."""


def moving(time_s):
    return FACE + SPEED * np.float32(time_s)


def made(points):
    """The same points in px of the picture to make."""
    return np.asarray(points) * np.array(MADE) / np.array(SIZE)


def asked(path, frames, fps, faces=None):
    return driving_keypoints(path, *MADE, faces or MarkFinder(), frames, fps)


def assert_at(found, times_s, where=moving):
    np.testing.assert_allclose(found, np.stack([made(where(time_s)) for time_s in times_s]), atol=NEAR_PX)


def test_points_are_x_and_y_of_each_frame_in_px_of_the_picture_to_make(tmp_path):
    video = marked_video(tmp_path / "v.mp4", 2.0, 10, moving)
    found = asked(video, 20, 10)
    assert found.shape == (20, 3, 2) and found.dtype == np.float32
    assert_at(found, np.arange(20) / 10)


def test_a_face_lost_at_the_end_stays_where_it_was_last_seen_and_time_is_kept(tmp_path):
    video = marked_video(tmp_path / "v.mp4", 2.0, 10, lambda time_s: moving(time_s) if time_s < 1.15 else None)
    found = asked(video, 20, 10)
    assert_at(found, np.minimum(np.arange(20) / 10, 1.1))
    np.testing.assert_array_equal(retargeted("no_retarget", FACE, found, 20), found)


def test_a_face_that_comes_late_is_first_where_it_is_first_seen(tmp_path):
    video = marked_video(tmp_path / "v.mp4", 2.0, 10, lambda time_s: moving(time_s) if time_s > 0.75 else None)
    assert_at(asked(video, 20, 10), np.maximum(np.arange(20) / 10, 0.8))


def test_a_face_lost_for_a_while_goes_straight_to_where_it_is_seen_again(tmp_path):
    there = FACE + 30
    video = marked_video(tmp_path / "v.mp4", 2.0, 10, lambda time_s: FACE if time_s < 0.55 else there if time_s > 1.05 else None)
    assert_at(asked(video, 20, 10), np.arange(20) / 10, lambda time_s: FACE + 30 * np.clip((time_s - 0.5) / 0.6, 0, 1))


def test_of_a_video_longer_than_the_sound_the_beginning_counts_and_no_more_is_looked_at(tmp_path):
    video, faces = marked_video(tmp_path / "v.mp4", 2.0, 10, moving), MarkFinder()
    assert_at(asked(video, 7, 10, faces), np.arange(7) / 10)
    assert len(faces.shapes) == 7


@pytest.mark.parametrize("last_seen_s", [1.0, 0.5])
def test_a_video_shorter_than_the_sound_gives_what_it_lasts_whenever_its_face_is_lost(tmp_path, last_seen_s):
    """The rest is `retargeted`'s matter: it stretches the whole of the video over the whole of the sound."""
    video = marked_video(tmp_path / "v.mp4", 1.0, 10, lambda time_s: moving(time_s) if time_s < last_seen_s + 0.05 else None)
    found = asked(video, 20, 10)
    assert_at(found, np.minimum(np.arange(10) / 10, last_seen_s))
    assert len(retargeted("no_retarget", FACE, found, 20)) == 20


@pytest.mark.parametrize(("own_fps", "fps", "frames"), [(10, 25, 32), (10, 30, 39), (30, 10, 13), (25, 24, 31)])
def test_a_video_of_another_rate_is_followed_by_time(tmp_path, own_fps, fps, frames):
    """Also where the last frame to make lies between two of the video's."""
    video = marked_video(tmp_path / "v.mp4", 2.0, own_fps, moving)
    found = asked(video, frames, fps)
    assert len(found) == frames
    assert_at(found, np.arange(frames) / fps)


def test_a_video_without_a_face_and_one_that_is_not_there_are_refused(tmp_path):
    video = marked_video(tmp_path / "v.mp4", 0.5, 10, lambda time_s: None)
    for path, code in ((video, "no_face"), (tmp_path / "absent.mp4", "vanished")):
        with pytest.raises(Rejected, match=path.name) as caught:
            asked(path, 5, 10)
        assert caught.value.code == code
