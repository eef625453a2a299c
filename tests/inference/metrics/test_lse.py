"""LSE-D and LSE-C over videos."""

from inference.metrics.lse import LipSync, lip_sync, of_tracks
from udfs.nets.syncnet.agreement import Agreement


def test_videos_are_averaged_and_those_without_a_score_counted():
    videos = [Agreement(-2, 6.0, 7.0), None, Agreement(4, 8.0, 3.0)]
    assert lip_sync(videos) == LipSync(distance=7.0, confidence=5.0, abs_offset_frames=3.0, scored=2, not_scored=1)


def test_without_a_scored_video_there_is_no_value():
    assert lip_sync([]) is None
    assert lip_sync([None, None]) is None


def test_tracks_of_a_video_are_averaged_the_offset_towards_zero():
    assert of_tracks([Agreement(-3, 6.0, 7.0), Agreement(0, 8.0, 3.0)]) == Agreement(-1, 7.0, 5.0)
