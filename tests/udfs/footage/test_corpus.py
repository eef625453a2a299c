from pathlib import Path

import cv2
import dlib
import numpy as np
import pytest

from udfs.footage import SAMPLES, make_footage
from udfs.media import frame_times, frames, probe


@pytest.fixture(scope="module")
def footage(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("footage")
    make_footage(folder, seconds=1.0)
    return folder


def pictures(path: Path, indices: list[int]) -> list[np.ndarray]:
    """Frames of a file by number, RGB."""
    return [picture.copy() for index, picture in frames(path, frame_times(path), 0.0, 1e6, indices)]


def middle_frame(path: Path) -> np.ndarray:
    """The frame at half a second, RGB."""
    return pictures(path, [12])[0]


def faces(picture: np.ndarray) -> list:
    return list(dlib.get_frontal_face_detector()(picture, 0))


def test_every_sample_is_there_and_says_what_becomes_of_it(footage):
    assert sorted(path.name for path in footage.iterdir()) == sorted(SAMPLES)
    assert make_footage(footage) == SAMPLES


def test_a_second_call_leaves_the_files_alone(footage):
    before = {path.name: path.stat().st_mtime_ns for path in footage.iterdir()}
    make_footage(footage, seconds=1.0)
    assert {path.name: path.stat().st_mtime_ns for path in footage.iterdir()} == before


def test_the_same_call_gives_the_same_bytes(footage, tmp_path):
    make_footage(tmp_path, seconds=1.0)
    assert [path.name for path in tmp_path.iterdir() if path.read_bytes() != (footage / path.name).read_bytes()] == []


def test_the_speaker_is_one_face_over_three_percent_of_the_frame(footage):
    picture = middle_frame(footage / "talking.mp4")
    (face,) = faces(picture)
    assert face.width() * face.height() > 0.03 * picture.shape[0] * picture.shape[1]


def test_two_faces_shows_two(footage):
    assert len(faces(middle_frame(footage / "two-faces.mp4"))) == 2


def test_frozen_repeats_one_picture_and_talking_does_not(footage):
    def change(name: str) -> float:
        first, last = (picture.astype(float) for picture in pictures(footage / name, [5, 20]))
        return float(np.abs(first - last).mean())

    assert change("frozen.mp4") < 0.5 < 1.5 < change("talking.mp4")


def test_blurred_has_far_less_detail_than_talking(footage):
    def detail(name: str) -> float:
        return cv2.Laplacian(cv2.cvtColor(middle_frame(footage / name), cv2.COLOR_RGB2GRAY), cv2.CV_64F).var()

    assert detail("blurred.mp4") < 0.1 * detail("talking.mp4")


def test_three_shots_are_three_pictures(footage):
    facts = probe(footage / "three shots.mp4")
    assert facts.has_audio
    looks = [picture.mean(axis=(0, 1)) for picture in pictures(footage / "three shots.mp4", [20, 110, 200])]
    assert min(np.abs(a - b).max() for a, b in zip(looks, looks[1:])) > 15
