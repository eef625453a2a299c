"""Driving key points on the portrait's face: the original's numbers, and what was mended."""

import numpy as np
import pytest

from inference.retargeting import MOST_PX, alike, moved_by_half, resampled, retargeted, scales
from schemas.codes import Rejected
from training.keypoint_image import draw_keypoints

FRAMES = 44


@pytest.fixture
def reference(numbers) -> np.ndarray:
    return np.array(numbers["reference"], np.float32)


@pytest.fixture
def sequence(numbers) -> np.ndarray:
    return np.array(numbers["sequence"], np.float32)


def picked(points: np.ndarray, count: int = 48) -> list[float]:
    return [points.ravel()[index * points.size // count] for index in range(count)]


def test_a_sequence_is_cut_or_stretched_to_the_length_of_the_video(sequence, numbers):
    np.testing.assert_allclose(picked(resampled(sequence, FRAMES)), numbers["resampled"], atol=1e-3)
    np.testing.assert_array_equal(resampled(sequence, 20), sequence[:20])


@pytest.mark.parametrize(("as_released", "name"), [(True, "upstream"), (False, "argmin")])
def test_naive_retargeting_gives_the_original_numbers(reference, sequence, numbers, as_released, name):
    assert alike(reference, resampled(sequence, FRAMES), as_released=as_released) == numbers["selected"][name]
    found = retargeted("naive_retarget", reference, sequence, FRAMES, as_released=as_released)
    np.testing.assert_allclose(picked(found), numbers["retargeted"][f"naive_{name}"], atol=1e-3)


@pytest.mark.parametrize(("as_released", "name"), [(True, "upstream"), (False, "argmin")])
def test_offset_retargeting_gives_the_original_numbers_when_mirrored(reference, sequence, numbers, as_released, name):
    driving = resampled(sequence, FRAMES)
    sized = driving * scales(reference, driving[alike(reference, driving, as_released=as_released)])
    np.testing.assert_allclose(picked(moved_by_half(reference, sized, mirrored=True)), numbers["retargeted"][f"offset_{name}"], atol=1e-3)
    if as_released:
        np.testing.assert_array_equal(
            retargeted("offset_retarget", reference, sequence, FRAMES, as_released=True), moved_by_half(reference, sized, mirrored=True)
        )


def test_a_head_that_moves_right_moves_the_portrait_right_unless_as_released(reference):
    moving = reference + np.array([[[10.0 * frame, 0.0]] for frame in range(3)], np.float32)
    right = retargeted("offset_retarget", reference, moving, 3)
    assert right[2, 2, 0] == pytest.approx(reference[2, 0] + 10, abs=1e-3)
    released = retargeted("offset_retarget", reference, moving, 3, as_released=True)
    assert released[2, 2, 0] == pytest.approx(reference[2, 0] - 10, abs=1e-3)


def test_the_other_strategies_keep_the_portrait_or_the_sequence(reference, sequence):
    fixed = retargeted("fix_face", reference, None, 5)
    assert fixed.shape == (5, 3, 2) and (fixed == reference).all()
    np.testing.assert_array_equal(retargeted("no_retarget", reference, sequence, len(sequence)), sequence)


@pytest.mark.parametrize("strategy", ["naive_retarget", "offset_retarget"])
@pytest.mark.parametrize("face", [np.zeros((3, 2)), [[20, 30], [20, 30], [30, 50]], [[20, 30], [40, 30], [30, 30]]], ids=["a point", "no width", "no height"])
def test_a_flat_face_is_refused_in_a_sentence(reference, strategy, face):
    with pytest.raises(Rejected, match="flat") as caught:
        retargeted(strategy, reference, np.array([face] * 4, np.float32), 6)
    assert caught.value.code == "decode_error"


def test_a_flat_face_that_nothing_is_measured_on_does_no_harm(reference, sequence):
    sequence[5] = 0
    assert np.isfinite(retargeted("naive_retarget", reference, sequence, len(sequence))).all()


@pytest.mark.parametrize("strategy", ["no_retarget", "naive_retarget", "offset_retarget"])
def test_points_far_outside_any_picture_are_refused_in_a_sentence(reference, sequence, strategy):
    with pytest.raises(Rejected, match="outside the picture") as caught:
        retargeted(strategy, reference, sequence * np.float32(1e30), 6)
    assert caught.value.code == "decode_error"


def test_a_face_so_small_that_the_portraits_size_throws_it_far_out_is_refused(reference, sequence):
    tiny = reference[2] + (sequence - sequence[0, 2]) * np.float32(1e-3)
    tiny[-1] += 500
    with pytest.raises(Rejected, match="outside the picture"):
        retargeted("naive_retarget", reference, tiny, len(tiny))


@pytest.mark.parametrize("strategy", ["no_retarget", "naive_retarget", "offset_retarget"])
def test_points_as_far_out_as_is_taken_can_be_drawn(reference, strategy):
    edge = np.array([[MOST_PX, MOST_PX], [-MOST_PX, -MOST_PX], [MOST_PX, -MOST_PX]], np.float32)
    for face in retargeted(strategy, reference, edge[None], 1):
        assert draw_keypoints(face, 64, 64).shape == (64, 64, 3)
