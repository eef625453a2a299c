"""CenterFace (Xu et al. 2020): face boxes and five keypoints from one fully convolutional network (weights.md, "Faces")."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from udfs.nets.onnx_session import open_session
from udfs.scorer import RGB, Device

_STRIDE = 4
_SIDE_MULTIPLE = 32
_OVERLAP = 0.3
_OUTPUTS = ("537", "538", "539", "540")

Detections = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""Boxes (n, 4) as left, top, right, bottom, scores (n,) and keypoints (n, 5, 2), in pixels of the frame, the surest first."""


class CenterFace:
    """The network with the weights of `centerface.onnx`."""

    def __init__(self, file: Path, device: Device) -> None:
        self._session = open_session(_with_free_size(file), device)

    def detect(self, rgb: RGB, longer_side_px: int, threshold: float) -> Detections:
        """Faces with a score over `threshold` (0..1), sought with the frame scaled to `longer_side_px`."""
        import cv2

        height, width = rgb.shape[:2]
        scale = longer_side_px / max(height, width)
        seen_h, seen_w = (max(1, round(side * scale / _SIDE_MULTIPLE)) * _SIDE_MULTIPLE for side in (height, width))
        seen = cv2.resize(rgb, (seen_w, seen_h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        pixels = np.ascontiguousarray(seen.transpose(2, 0, 1)[None], dtype=np.float32)
        heat, log_size, offset, landmarks = (output[0] for output in self._session.run(list(_OUTPUTS), {"input.1": pixels}))
        boxes, scores, keypoints = decode(heat, log_size, offset, landmarks, threshold)
        keep = suppress(boxes, scores)
        to_frame = np.array([width / seen_w, height / seen_h], np.float32)
        return boxes[keep] * np.tile(to_frame, 2), scores[keep], keypoints[keep] * to_frame


def decode(
    heat: NDArray[np.float32], log_size: NDArray[np.float32], offset: NDArray[np.float32], landmarks: NDArray[np.float32], threshold: float
) -> Detections:
    """Boxes, scores and keypoints, in pixels of the network's input, of the cells whose heat is over `threshold`.

    `heat` (1, h, w); `log_size` (2, h, w): height and width as 4·exp; `offset` (2, h, w): y and x in cells from the cell's
    index, centre = (index + offset + 0.5)·4; `landmarks` (10, h, w): y and x in turn, from the box's corner, in its height and width.
    """
    rows, columns = np.where(heat[0] > threshold)
    scores = heat[0, rows, columns]
    size = np.exp(log_size[:, rows, columns].T) * _STRIDE
    centre = (np.stack([rows, columns], axis=1) + offset[:, rows, columns].T + 0.5) * _STRIDE
    corner = centre - size / 2
    points = landmarks[:, rows, columns].T.reshape(-1, 5, 2) * size[:, None] + corner[:, None]
    boxes = np.concatenate([corner[:, ::-1], (corner + size)[:, ::-1]], axis=1)
    order = np.argsort(-scores, kind="stable")
    return boxes[order].astype(np.float32), scores[order], points[order][:, :, ::-1].astype(np.float32)


def suppress(boxes: NDArray[np.float32], scores: NDArray[np.float32]) -> list[int]:
    """Greedy non-maximum suppression: indices of `boxes` (surest first) that overlap no kept one by more than 0.3 (intersection over union)."""
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept: list[int] = []
    for index in range(len(scores)):
        low = np.maximum(boxes[index, :2], boxes[kept, :2])
        high = np.minimum(boxes[index, 2:], boxes[kept, 2:])
        common = np.prod(np.clip(high - low, 0, None), axis=1)
        if not (common > _OVERLAP * (area[index] + area[kept] - common)).any():
            kept.append(index)
    return kept


def _with_free_size(file: Path) -> bytes:
    """The model's bytes with height, width and batch made free; the published file fixes them at 10x3x32x32."""
    import onnx

    model = onnx.load(str(file))
    for value in (*model.graph.input[:1], *model.graph.output):
        for axis in (0, 2, 3):
            value.type.tensor_type.shape.dim[axis].dim_param = f"{value.name}_{axis}"
    return model.SerializeToString()
