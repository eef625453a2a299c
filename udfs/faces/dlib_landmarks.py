"""The 68 landmarks of iBUG 300-W by dlib. Its file may not be used commercially, so only what is asked for by name uses it."""

import numpy as np
from numpy.typing import NDArray

from udfs import weights
from udfs.faces.dlib_identity import face_square
from udfs.scorer import RGB

WEIGHTS = "dlib-68-point"


class DlibLandmarks:
    """Loads the predictor. Raises `MissingError` when it is not there."""

    def __init__(self) -> None:
        import dlib

        self._dlib = dlib
        self._predictor = dlib.shape_predictor(str(weights.path(WEIGHTS)))

    def of(self, rgb: RGB, box: NDArray[np.float32]) -> NDArray[np.float64]:
        """(68, 2) x, y in px of the face of a box (left, top, right, bottom in px; from forehead to chin)."""
        shape = self._predictor(np.ascontiguousarray(rgb), self._dlib.rectangle(*face_square(box)))
        return np.array([(point.x, point.y) for point in shape.parts()], np.float64)
