"""Identity of a face by dlib: alignment from five landmarks (eye corners, nose base), then a ResNet embedding of 128 values."""

import numpy as np
from numpy.typing import NDArray

from udfs import weights
from udfs.scorer import RGB

WEIGHTS = ("dlib-5-point", "dlib-face-resnet")

_CHIP_PX = 150
_CHIP_PADDING = 0.25


class DlibIdentity:
    """Loads both networks from the weights manifest. Raises `MissingError` when they are not there."""

    def __init__(self) -> None:
        import dlib

        self._dlib = dlib
        self._landmarks = dlib.shape_predictor(str(weights.path("dlib-5-point")))
        self._network = dlib.face_recognition_model_v1(str(weights.path("dlib-face-resnet")))

    def chip(self, rgb: RGB, box: NDArray[np.float32]) -> RGB:
        """The face of a box (left, top, right, bottom in pixels; from forehead to chin) upright, 150x150."""
        square = self._dlib.rectangle(*face_square(box))
        shape = self._landmarks(np.ascontiguousarray(rgb), square)
        return self._dlib.get_face_chip(rgb, shape, size=_CHIP_PX, padding=_CHIP_PADDING)

    def embed(self, chips: list[RGB]) -> NDArray[np.float32]:
        """(n, 128); faces of one person lie within about 0.6 of each other."""
        return np.array([self._network.compute_face_descriptor(chip) for chip in chips], np.float32)


def face_square(box: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """The square dlib's predictor was trained with: from the brows to the chin, as wide as the face."""
    left, top, right, bottom = box
    side, middle = float(right - left), float(left + right) / 2
    return round(middle - side / 2), round(bottom - side), round(middle + side / 2), round(float(bottom))
