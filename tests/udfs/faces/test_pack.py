"""Files of a pack are told apart by their shapes."""

import numpy as np

from tests.udfs.faces.stand_in_pack import write_detector, write_pack
from udfs.faces.pack import is_detector, role_of, roles


def test_roles_follow_shapes_not_names(tmp_path):
    pack = write_pack(tmp_path / "pack", np.eye(3))
    (pack / "w600k_r50.onnx").rename(pack / "a.onnx")
    assert {role: file.name for role, file in roles(pack).items()} == {
        "detection": "det_10g.onnx",
        "landmark_3d_68": "1k3d68.onnx",
        "landmark_2d_106": "2d106det.onnx",
        "genderage": "genderage.onnx",
        "recognition": "a.onnx",
    }


def test_one_detector_file_is_a_pack(tmp_path):
    detector = write_detector(tmp_path / "det.onnx")
    assert roles(detector) == {"detection": detector}


def test_other_files_have_no_role(tmp_path):
    text = tmp_path / "notes.onnx"
    text.write_text("no network at all")
    pack = write_pack(tmp_path / "pack", np.eye(3))
    assert role_of(text) is None and not is_detector(pack / "genderage.onnx")


def test_real_detector_is_one(shared_models):
    assert is_detector(shared_models / "scrfd_2.5g_kps.onnx") and not is_detector(shared_models / "yunet_n_640_640.onnx")
