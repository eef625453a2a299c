"""The InsightFace back end over a pack of stand-ins, and over one real detector."""

import numpy as np
import pytest
from skimage import data

from tests.udfs.faces.stand_in_pack import AGE, BOX, EMBEDDING, KEYPOINTS, write_detector, write_pack
from tests.udfs.faces.test_pose import rotation
from udfs import weights
from udfs.faces.insightface_pack import InsightFacePack
from udfs.scorer import Device

FRAME = np.zeros((640, 640, 3), np.uint8)


@pytest.fixture(autouse=True)
def own_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path / "weights"))


def ready(source, name=None) -> InsightFacePack:
    pack = InsightFacePack(weights.add(source, name).name, 640, 0.5)
    pack.setup(Device())
    return pack


def test_whole_pack_gives_everything(tmp_path):
    pack = ready(write_pack(tmp_path / "pack", rotation(10, -20, 5)))
    (face,) = pack.detect(FRAME)
    assert face.box == pytest.approx(BOX) and face.keypoints == pytest.approx(np.array(KEYPOINTS)) and face.score == pytest.approx(0.9)
    pose = pack.pose(FRAME, face)
    assert (pose.pitch, pose.yaw, pose.roll) == pytest.approx((10, -20, 5), abs=0.1)
    assert pack.pose_source == "landmark_3d_68"
    attributes = pack.attributes(FRAME, face)
    assert attributes is not None and (attributes.age, attributes.gender) == (AGE, "male")
    chip = pack.chip(FRAME, face)
    assert chip is not None and chip.shape == (112, 112, 3)
    mouth = pack.mouth(FRAME, face)
    assert mouth is not None and mouth.shape == (20, 2) and np.ptp(mouth, axis=0).max() < 1e-3
    assert pack.embed([chip, chip]) == pytest.approx(np.stack([EMBEDDING] * 2))


def test_pack_with_only_a_detector_takes_its_pose_from_the_keypoints(tmp_path):
    pack = ready(write_detector(tmp_path / "det.onnx"), "custom-pack")
    (face,) = pack.detect(FRAME)
    assert abs(pack.pose(FRAME, face).yaw) < 1
    assert pack.pose_source == "pnp5"
    assert pack.chip(FRAME, face) is None and pack.attributes(FRAME, face) is None and pack.mouth(FRAME, face) is None


def test_real_detector_finds_the_portrait(shared_models):
    pack = ready(shared_models / "scrfd_2.5g_kps.onnx")
    assert pack.name == "insightface:scrfd_2.5g_kps"
    (face,) = pack.detect(data.astronaut())
    assert face.keypoints[:2] == pytest.approx(np.array([[204, 101], [248, 103]]), abs=4)
    again = pack.again(data.astronaut(), face)
    assert again is not None and again.keypoints == pytest.approx(face.keypoints, abs=4) and again.box == pytest.approx(face.box, abs=12)
    assert pack.again(data.coffee(), face) is None
    assert pack.detect(data.coffee()) == []
