"""The InsightFace back end: a pack of ONNX models in `buffalo_l`'s layout, or a detector alone. Never downloads."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from udfs import weights
from udfs.faces.backend import Attributes, Face, Pose
from udfs.faces.close_up import close_up
from udfs.faces.pack import roles
from udfs.faces.pose import pose_from_keypoints
from udfs.lips import LIP_LANDMARKS
from udfs.nets.onnx_session import open_session
from udfs.scorer import RGB, Device

_ANY_CONTEXT = 0
_TEMPLATE_PX = 112
_CLOSE_UP_HEIGHTS = 3.0


class InsightFacePack:
    """Detector, 3-D pose, age, gender and identity by the models of a pack; what it lacks is None, and pose then comes from PnP.

    `pack` is the pack's name in the weights manifest; `side_px` the square the detector sees, `threshold` its least score, 0..1.
    """

    def __init__(self, pack: str, side_px: int, threshold: float) -> None:
        self.name = f"insightface:{pack}"
        self.weights: tuple[str, ...] = (pack,)
        self.pose_source = "pnp5"
        self._side_px = side_px
        self._threshold = threshold

    def setup(self, device: Device) -> None:
        """Open the pack's models, each by the class of InsightFace that knows it, in sessions of our own."""
        files = roles(weights.path(self.weights[0]))
        self._detector = _model("scrfd", "SCRFD", files["detection"], device, static_shape_sessions=False)
        self._detector.prepare(_ANY_CONTEXT, input_size=(self._side_px, self._side_px), det_thresh=self._threshold)
        self._landmarks = _optional("landmark", "Landmark", files.get("landmark_3d_68"), device)
        self._outline = _optional("landmark", "Landmark", files.get("landmark_2d_106"), device)
        self._attributes = _optional("attribute", "Attribute", files.get("genderage"), device)
        self._identity = _optional("arcface_onnx", "ArcFaceONNX", files.get("recognition"), device)
        self.pose_source = "landmark_3d_68" if self._landmarks else "pnp5"

    def detect(self, rgb: RGB) -> list[Face]:
        """All faces over the threshold, the surest first."""
        boxes, keypoints = self._detector.detect(_bgr(rgb))
        return [Face(box[:4], float(box[4]), points.astype(np.float32)) for box, points in zip(boxes, keypoints, strict=True)]

    def again(self, rgb: RGB, face: Face) -> Face | None:
        """The face found in a square cut around where it was, seen at half the side that `detect` sees."""
        square, corner = close_up(rgb, face.box, _CLOSE_UP_HEIGHTS)
        boxes, keypoints = self._detector.detect(_bgr(square), input_size=(self._side_px // 2, self._side_px // 2))
        if len(boxes) == 0:
            return None
        away = np.linalg.norm(keypoints.mean(axis=1) - len(square) / 2, axis=1)
        nearest = int(away.argmin())
        box = (boxes[nearest, :4].reshape(2, 2) + corner).reshape(4).astype(np.float32)
        return Face(box, float(boxes[nearest, 4]), (keypoints[nearest] + corner).astype(np.float32))

    def mouth(self, rgb: RGB, face: Face) -> NDArray[np.float32] | None:
        """By the pack's 106 landmarks, where it has them."""
        if self._outline is None:
            return None
        return self._outline.get(_bgr(rgb), _described(face))[LIP_LANDMARKS].astype(np.float32)

    def pose(self, rgb: RGB, face: Face) -> Pose:
        """By the 68-point 3-D fit where the pack has it, else by PnP over the five keypoints."""
        if self._landmarks is None:
            return pose_from_keypoints(face.keypoints)
        fitted = _described(face)
        self._landmarks.get(_bgr(rgb), fitted)
        return Pose(*(float(angle) for angle in fitted["pose"]))

    def chip(self, rgb: RGB, face: Face) -> RGB | None:
        """112x112 (or what the recognition model takes), red first; None also for keypoints that fall together."""
        if self._identity is None:
            return None
        import cv2
        from insightface.utils.face_align import arcface_dst
        from skimage.transform import SimilarityTransform

        side = self._identity.input_size[0]
        placed = SimilarityTransform.from_estimate(face.keypoints, arcface_dst * (side / _TEMPLATE_PX))
        return cv2.warpAffine(rgb, placed.params[:2], (side, side)) if placed else None

    def embed(self, chips: list[RGB]) -> NDArray[np.float32]:
        """(n, d), d as the recognition model has it (512 in `buffalo_l`)."""
        return np.concatenate([self._identity.get_feat(_bgr(chip)) for chip in chips]).astype(np.float32)

    def attributes(self, rgb: RGB, face: Face) -> Attributes | None:
        """Age and gender where the pack has them."""
        if self._attributes is None:
            return None
        gender, age = self._attributes.get(_bgr(rgb), _described(face))
        return Attributes(float(age), "male" if gender == 1 else "female")


def _model(module: str, class_name: str, file: Path, device: Device, **options: Any) -> Any:
    from importlib import import_module

    kind = getattr(import_module(f"insightface.model_zoo.{module}"), class_name)
    return kind(str(file), session=open_session(file, device), **options)


def _optional(module: str, class_name: str, file: Path | None, device: Device) -> Any | None:
    return None if file is None else _model(module, class_name, file, device)


def _bgr(rgb: RGB) -> NDArray[np.uint8]:
    return np.ascontiguousarray(rgb[:, :, ::-1])


def _described(face: Face) -> Any:
    from insightface.app.common import Face as InsightFace

    return InsightFace(bbox=face.box, kps=face.keypoints, det_score=face.score)
