"""The mouth by dlib's 68 landmarks, beside any face back end. Only on request: its weights are for non-commercial research."""

import numpy as np
from numpy.typing import NDArray

from udfs import weights
from udfs.faces.backend import Face, FaceBackend
from udfs.faces.dlib_identity import face_square
from udfs.scorer import RGB

WEIGHTS = "dlib-68-point"
_MOUTH = range(48, 68)


class WithDlibMouth:
    """Finds faces as `backend` does, and mouths as dlib does. Raises `MissingError` when dlib's weights are not there."""

    def __init__(self, backend: FaceBackend) -> None:
        import dlib

        self._dlib = dlib
        self._landmarks = dlib.shape_predictor(str(weights.path(WEIGHTS)))
        self.detect, self.again = backend.detect, backend.again

    def mouth(self, rgb: RGB, face: Face) -> NDArray[np.float32]:
        """(20, 2), points 48 to 67 of 68."""
        shape = self._landmarks(np.ascontiguousarray(rgb), self._dlib.rectangle(*face_square(face.box)))
        return np.array([(shape.part(number).x, shape.part(number).y) for number in _MOUTH], np.float32)
