"""A face is followed, its gaps are filled and flagged, and its crop is a square inside the frame."""

import numpy as np
import pytest

from schemas.codes import Rejected
from udfs.face_track import FaceTracker, overlap, square_crop
from udfs.faces.backend import Face
from udfs.lips import lip_box, mouth_outline

SHAPE = np.array([[-0.2, -0.2], [0.2, -0.2], [0, 0.05], [-0.15, 0.25], [0.15, 0.25]], np.float32)


def face(x: float, y: float, height: float, score: float = 0.9) -> Face:
    """An upright face about (x, y)."""
    box = np.array([x - 0.35 * height, y - height / 2, x + 0.35 * height, y + height / 2], np.float32)
    return Face(box, score, SHAPE * height + np.array([x, y], np.float32))


class Scripted:
    """A back end whose pictures say by their first pixel which frame they are; it sees what it was told of that frame."""

    def __init__(self, *frames: list[Face]) -> None:
        self.frames = frames
        self.whole_looks = 0

    def detect(self, rgb):
        self.whole_looks += 1
        return self.frames[rgb[0, 0, 0]]

    def again(self, rgb, near):
        return next((seen for seen in self.frames[rgb[0, 0, 0]] if overlap(seen.box, near.box) > 0.1), None)

    def mouth(self, rgb, seen):
        return None


def followed(*frames: list[Face]):
    backend = Scripted(*frames)
    tracker = FaceTracker(backend, len(frames))
    for number in range(len(frames)):
        tracker.see(np.full((4, 4, 3), number, np.uint8))
    return tracker.track(), backend


def test_known_face_is_sought_where_it_was_and_all_faces_once_a_second():
    track, backend = followed(*[[face(100 + number, 100, 80)] for number in range(60)])
    assert backend.whole_looks == 3 and not track.interpolated.any()
    assert track.keypoints[:, 2, 0] == pytest.approx(100 + np.arange(60), abs=1e-3)


def test_largest_face_is_followed_whatever_the_detector_is_surest_of():
    track, _ = followed(*[[face(300, 100, 40, 0.99), face(100, 100, 80, 0.6)]] * 20)
    assert track.boxes[:, 0] == pytest.approx(np.full(20, 72))


def test_continuous_face_wins_over_a_larger_one_that_passes():
    frames = [[face(100, 100, 80)] for _ in range(40)]
    frames[25] = [face(100, 100, 80), face(400, 100, 120)]
    frames[26] = frames[25]
    track, _ = followed(*frames)
    assert track.boxes[:, 2].max() < 140 and not track.interpolated.any()


def test_gap_is_interpolated_and_flagged():
    frames = [[face(100 + 2 * number, 100, 80)] for number in range(30)]
    frames[10] = frames[11] = frames[12] = []
    track, _ = followed(*frames)
    assert np.flatnonzero(track.interpolated).tolist() == [10, 11, 12]
    assert track.keypoints[:, 2, 0] == pytest.approx(100 + 2 * np.arange(30), abs=1e-3)
    assert track.mouths[11] == pytest.approx((track.mouths[9] + track.mouths[13]) / 2, abs=1e-3)


def test_gap_at_an_end_holds_the_nearest_place():
    frames = [[face(100 + number, 100, 80)] for number in range(20)]
    frames[0] = frames[19] = []
    track, _ = followed(*frames)
    assert np.flatnonzero(track.interpolated).tolist() == [0, 19]
    assert track.keypoints[0] == pytest.approx(track.keypoints[1])


def test_face_that_moved_while_it_was_hidden_is_still_the_one():
    frames = [[face(100, 100, 80)]] * 15 + [[]] + [[face(190, 100, 80)]] * 14
    track, _ = followed(*frames)
    assert np.flatnonzero(track.interpolated).tolist() == [15]
    assert track.keypoints[20, 2, 0] == pytest.approx(190)


def test_too_many_gaps_are_no_face():
    with pytest.raises(Rejected, match=r"no_face: more than 20% .* \(5 of 20\)"):
        followed(*[[face(100, 100, 80)]] * 15, *[[]] * 5)


def test_clip_without_any_face_is_given_up_early():
    backend = Scripted(*[[]] * 50)
    tracker = FaceTracker(backend, 50)
    with pytest.raises(Rejected, match="no_face"):
        for number in range(50):
            tracker.see(np.full((4, 4, 3), number, np.uint8))
    assert backend.whole_looks == 11


def test_same_picture_again_costs_nothing():
    backend = Scripted([face(100, 100, 80)], [face(102, 100, 80)])
    tracker = FaceTracker(backend, 4)
    tracker.see(np.full((4, 4, 3), 0, np.uint8))
    tracker.see_again()
    tracker.see(np.full((4, 4, 3), 1, np.uint8))
    tracker.see_again()
    track = tracker.track()
    assert track.keypoints[:, 2, 0] == pytest.approx([100, 100, 102, 102]) and not track.interpolated.any()
    assert backend.whole_looks == 1


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((400, 200, 500, 300), (370, 170, 530, 330)),
        ((0, 0, 100, 100), (0, 0, 160, 160)),
        ((900, 400, 1000, 480), (840, 320, 1000, 480)),
        ((300, 10, 700, 470), (260, 0, 740, 480)),
        ((-50, -50, 1050, 500), (260, 0, 740, 480)),
    ],
)
def test_crop_is_a_square_inside_the_frame(box, expected):
    """1.6 times the longer side, shifted at the edges, made smaller where the frame is not high enough."""
    assert square_crop(np.array([box], np.float32), 1000, 480) == expected


def test_crop_of_any_boxes_is_a_square_inside_the_frame():
    random = np.random.default_rng(0)
    for _ in range(500):
        width, height = random.integers(16, 2000, 2).tolist()
        corners = random.uniform(-0.2, 1.2, (3, 2, 2)) * (width, height)
        boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1) + 1], axis=1).astype(np.float32)
        left, top, right, bottom = square_crop(boxes, width, height)
        assert 0 <= left < right <= width and 0 <= top < bottom <= height and right - left == bottom - top


def test_union_of_all_frames_is_held():
    left, top, right, bottom = square_crop(np.array([[400, 200, 500, 300], [450, 220, 560, 330]], np.float32), 1000, 600)
    assert (left, top, right, bottom) == (352, 137, 608, 393)


def test_places_move_with_the_crop():
    track, _ = followed(*[[face(300, 200, 80)]] * 3)
    inside = track.in_crop((200, 100, 400, 300), 512)
    assert inside.keypoints[0, 2] == pytest.approx(((300 - 200) * 2.56, (204 - 100) * 2.56))
    assert inside.boxes[0] == pytest.approx([(272 - 200) * 2.56, (160 - 100) * 2.56, (328 - 200) * 2.56, (240 - 100) * 2.56])


def test_lips_are_rounded_to_pixels_of_the_crop_not_of_the_frame():
    track, _ = followed(*[[face(300.4, 200.7, 80)]] * 3)
    inside = track.in_crop((200, 100, 400, 300), 512)
    outline = mouth_outline(track.keypoints[0])
    assert inside.lip_boxes[0] == pytest.approx(lip_box((outline - (200, 100)) * 2.56))
    assert inside.lip_boxes[0] != pytest.approx((np.array(lip_box(outline)) - (200, 100, 200, 100)) * 2.56)
