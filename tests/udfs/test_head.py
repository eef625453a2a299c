"""The scorer `head`: over the portrait put in motion with the default back end, and over a back end made here."""

import dataclasses

import numpy as np
import pytest
from skimage import data

from schemas.errors import UsageError
from schemas.scores import STORED
from tests.udfs.faces.stand_in_pack import AGE, write_detector, write_pack
from tests.udfs.faces.test_pose import rotation
from tests.udfs.watching import clip_of, watch
from udfs import weights
from udfs.footage.portrait import Pose, frames
from udfs.head import Head, HeadConfig
from udfs.scorer import Clip, Device, Reduced
from udfs.scoring import Asked, score_clips

EMPTY = np.full((240, 320, 3), 90, np.uint8)


@pytest.fixture(autouse=True)
def own_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path / "weights"))


def portrait(count: int, size: tuple[int, int] = (640, 480), **pose: object) -> list[np.ndarray]:
    return list(frames(Pose(**pose), size, 1.0, np.zeros(count, np.float32), 0))


@pytest.fixture(scope="module")
def talking() -> dict:
    return watch(Head(HeadConfig(backend="centerface-dlib")), portrait(4), fps=1.0)


def test_values_are_those_the_table_stores(talking):
    assert set(talking) == {field.name for field in STORED["head"]}


def test_calm_frontal_speaker_passes_the_released_thresholds(talking):
    least = {
        "avg_movement": 80,
        "min_movement": 60,
        "avg_orientation": 70,
        "min_orientation": 30,
        "avg_completeness": 100,
        "min_completeness": 100,
        "avg_resolution": 50,
        "min_resolution": 40,
        "avg_rotation": 70,
        "min_rotation": 60,
        "face_consistency": 80,
    }
    assert {name: talking[name] for name, value in least.items() if talking[name] < value} == {}


def test_row_names_back_end_pose_source_and_every_face(talking):
    assert (talking["backend"], talking["pose_source"], talking["frames"], talking["faces_max"]) == ("centerface-dlib", "pnp5", 4, 1)
    assert [face["time_s"] for face in talking["faces"]] == [0, 1, 2, 3]
    assert all(len(face["box"]) == 4 and len(face["keypoints"]) == 10 for face in talking["faces"])
    assert talking["age"] is None and talking["gender"] is None


def test_embedding_has_unit_length_and_knows_the_person(talking):
    again = watch(Head(HeadConfig(backend="centerface-dlib")), portrait(2, face_width=0.3, tint=(0.8, 0.9, 1.0)), fps=1.0)
    likeness = np.array(again["embedding"]) @ np.array(talking["embedding"])
    assert np.linalg.norm(talking["embedding"]) == pytest.approx(1, abs=1e-6)
    assert likeness > 0.95


def test_still_face_does_not_move():
    values = watch(Head(), [portrait(1)[0]] * 3, fps=1.0)
    assert values["avg_movement"] == 100 and values["min_rotation"] == 100


def test_clip_without_a_face_has_counts_only():
    values = watch(Head(), [EMPTY] * 3, fps=1.0)
    given = {name: value for name, value in values.items() if value is not None}
    assert given == {"face_consistency": 40.0, "faces_max": 0, "backend": "centerface-dlib", "pose_source": "pnp5", "frames": 0, "faces": []}


def test_frames_with_two_faces_are_counted_but_not_measured():
    two = np.hstack([data.astronaut(), data.astronaut()])
    one = np.hstack([data.astronaut(), np.full_like(data.astronaut(), 90)])
    values = watch(Head(), [one, two, one], fps=1.0)
    assert (values["faces_max"], values["frames"], values["face_consistency"]) == (2, 2, 80)
    assert [face["time_s"] for face in values["faces"]] == [0, 2]


@pytest.mark.parametrize(("seconds", "expected"), [(0.4, [0]), (2.96, [0, 25]), (3.0, [0, 25, 50]), (0.1 + 0.2 + 4.7, [0, 25, 50, 75, 100])])
def test_one_frame_for_each_whole_second(seconds, expected):
    pts = [index / 25 for index in range(round(seconds * 25))]
    assert Head().plan(clip_of([EMPTY], pts, seconds), pts) == expected


def test_seconds_are_sampled_at_true_timestamps():
    pts = [0.0, 0.2, 0.7, 0.95, 1.2, 2.4, 2.9, 3.3]
    assert Head().plan(clip_of([EMPTY], pts, 3.4), pts) == [0, 3, 5]


def test_auto_takes_an_installed_pack_and_says_so_in_its_configuration(tmp_path):
    assert Head().config.backend == "centerface-dlib"
    weights.add(write_detector(tmp_path / "det.onnx"), "custom-pack")
    head = Head()
    assert (head.config.backend, head.weights) == ("insightface:custom-pack", ("custom-pack",))
    assert Head(HeadConfig(backend="centerface-dlib")).weights == ("centerface", "dlib-5-point", "dlib-face-resnet")


def test_pack_gives_age_gender_and_fitted_pose(tmp_path):
    weights.add(write_pack(tmp_path / "pack", rotation(0, 18, 0)), "custom-pack")
    values = watch(Head(), [np.zeros((640, 640, 3), np.uint8)] * 3, fps=1.0)
    assert (values["age"], values["gender"], values["pose_source"]) == (AGE, "male", "landmark_3d_68")
    assert values["avg_orientation"] == pytest.approx(90, abs=0.1)
    assert len(values["embedding"]) == 512


def test_unknown_back_end_is_refused_with_the_ones_there_are():
    with pytest.raises(UsageError, match="centerface-dlib"):
        Head(HeadConfig(backend="insightface:../../etc"))


def test_configuration_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Head().config.threshold = 0.1  # type: ignore[misc]


def test_clips_of_a_batch_do_not_see_each_other():
    head = Head()
    head.setup(Device())
    views = []
    for frame in (portrait(1)[0], data.astronaut()):
        clip = clip_of([frame], [0.0], 1.0)
        views.append(Reduced(clip, [0], [0.0], [head.reduce(clip, frame, 0)]))
    assert head.score(views) == [head.score([view])[0] for view in views]


@pytest.mark.corpus
def test_real_speakers_have_one_frontal_face(corpus):
    head = Head()
    head.setup(Device())
    for name in ("speech_512p25_15s_l4.mp4", "speech_512p25_15s_l7.mp4"):
        clip = Clip("clip", "video", str(corpus / "singles" / name), 0.0, 3.0, 512, 512, 25.0, True)
        ((_, outcomes),) = score_clips([Asked(clip, ("head",))], [head])
        values = outcomes["head"]
        assert isinstance(values, dict)
        assert (values["face_consistency"], values["faces_max"], values["frames"]) == (100, 1, 3)
        assert values["avg_orientation"] > 80 and values["avg_resolution"] > 500


@pytest.mark.corpus
def test_picture_in_picture_is_a_second_face(corpus):
    head = Head()
    head.setup(Device())
    clip = Clip("clip", "video", str(corpus / "singles" / "speech_512p25_15s_l2.mp4"), 0.0, 2.0, 512, 512, 25.0, True)
    ((_, outcomes),) = score_clips([Asked(clip, ("head",))], [head])
    assert outcomes["head"]["faces_max"] == 2
