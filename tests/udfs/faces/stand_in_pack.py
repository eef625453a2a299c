"""ONNX files with the shapes of `buffalo_l`'s models and constant answers: they prove routing and units, not accuracy."""

from pathlib import Path

import numpy as np
import onnx
from insightface.data import get_object
from onnx import TensorProto, helper, numpy_helper

SIDE = 640
BOX = (224.0, 160.0, 384.0, 352.0)
KEYPOINTS = ((264.0, 224.0), (344.0, 224.0), (304.0, 264.0), (272.0, 304.0), (336.0, 304.0))
AGE, EMBEDDING = 35, np.arange(512, dtype=np.float32)


def write_pack(folder: Path, rotation: np.ndarray) -> Path:
    """A whole pack whose 3-D landmarks are the mean face turned by a (3, 3) `rotation`; returns the folder."""
    folder.mkdir(parents=True)
    write_detector(folder / "det_10g.onnx")
    turned = np.array(get_object("meanshape_68.pkl")) @ rotation.T
    turned /= np.abs(turned).max() * 2
    landmarks = np.concatenate([np.zeros((1103 - 68, 3)), turned]).reshape(1, -1)
    _write(folder / "1k3d68.onnx", 192, landmarks)
    _write(folder / "genderage.onnx", 96, [[0.2, 0.8, AGE / 100]])
    _write(folder / "w600k_r50.onnx", 112, EMBEDDING[None])
    _write(folder / "2d106det.onnx", 192, np.zeros((1, 212)))
    return folder


def write_detector(file: Path) -> Path:
    """A detector that sees one face, `BOX` with `KEYPOINTS`, in every 640x640 picture: at the stride-8 cell in (304, 256)."""
    column, row = 304 // 8, 256 // 8
    centre, cell = np.array([304, 256]), 2 * (row * SIDE // 8 + column)
    outputs = []
    for values in (1, 4, 10):
        for stride in (8, 16, 32):
            outputs.append(np.zeros((2 * (SIDE // stride) ** 2, values), np.float32))
    outputs[0][cell] = 0.9
    outputs[3][cell] = np.array([centre[0] - BOX[0], centre[1] - BOX[1], BOX[2] - centre[0], BOX[3] - centre[1]]) / 8
    outputs[6][cell] = (np.array(KEYPOINTS) - centre).ravel() / 8
    return _write(file, SIDE, *outputs)


def _write(file: Path, side: int, *outputs: object) -> Path:
    arrays = [np.asarray(output, np.float32) for output in outputs]
    nodes = [helper.make_node("Constant", [], [f"out{i}"], value=numpy_helper.from_array(array)) for i, array in enumerate(arrays)]
    seen = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [1, 3, side, side])
    given = [helper.make_tensor_value_info(f"out{i}", TensorProto.FLOAT, array.shape) for i, array in enumerate(arrays)]
    model = helper.make_model(helper.make_graph(nodes, file.stem, [seen], given), opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, str(file))
    return file
