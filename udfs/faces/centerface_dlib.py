"""The default back end: CenterFace and dlib. Needs no download; every file it loads may be used commercially."""

import numpy as np
from numpy.typing import NDArray

from udfs import weights
from udfs.faces import dlib_identity
from udfs.faces.backend import Attributes, Face, Pose
from udfs.faces.close_up import close_up
from udfs.faces.pose import pose_from_keypoints
from udfs.scorer import RGB, Device

_SECOND_LOOK_PX = 256
_SECOND_LOOK_HEIGHTS = 2.2


class CenterFaceDlib:
    """Boxes and keypoints by CenterFace, pose by PnP over the keypoints, identity by dlib; no age, no gender.

    A face that is alone in its frame is looked at twice: CenterFace places keypoints best on faces about 115 px high (0.05
    eye distances from SCRFD's there, 0.09 on the large faces of a whole frame at 640 px).
    """

    name = "centerface-dlib"
    weights: tuple[str, ...] = ("centerface", *dlib_identity.WEIGHTS)
    pose_source = "pnp5"

    def __init__(self, longer_side_px: int, threshold: float) -> None:
        self._longer_side_px = longer_side_px
        self._threshold = threshold

    def setup(self, device: Device) -> None:
        """Load CenterFace and dlib's two files."""
        from udfs.nets.centerface import CenterFace

        self._detector = CenterFace(weights.path("centerface"), device)
        self._identity = dlib_identity.DlibIdentity()

    def detect(self, rgb: RGB) -> list[Face]:
        """All faces over the threshold, the surest first."""
        found = zip(*self._detector.detect(rgb, self._longer_side_px, self._threshold), strict=True)
        faces = [Face(box, float(score), keypoints) for box, score, keypoints in found]
        return [self._second_look(rgb, faces[0])] if len(faces) == 1 else faces

    def pose(self, rgb: RGB, face: Face) -> Pose:
        """By PnP over the five keypoints."""
        return pose_from_keypoints(face.keypoints)

    def chip(self, rgb: RGB, face: Face) -> RGB:
        """150x150, for dlib's ResNet."""
        return self._identity.chip(rgb, face.box)

    def embed(self, chips: list[RGB]) -> NDArray[np.float32]:
        """(n, 128)."""
        return self._identity.embed(chips)

    def attributes(self, rgb: RGB, face: Face) -> Attributes | None:
        """None: neither network estimates them."""
        return None

    def again(self, rgb: RGB, face: Face) -> Face | None:
        """The face found in a square cut around where it was; costs a quarter of `detect`."""
        square, corner = close_up(rgb, face.box, _SECOND_LOOK_HEIGHTS)
        boxes, scores, keypoints = self._detector.detect(square, _SECOND_LOOK_PX, self._threshold)
        if len(scores) == 0:
            return None
        away = np.linalg.norm(keypoints.mean(axis=1) - len(square) / 2, axis=1)
        nearest = int(away.argmin())
        box = (boxes[nearest].reshape(2, 2) + corner).reshape(4).astype(np.float32)
        return Face(box, float(scores[nearest]), (keypoints[nearest] + corner).astype(np.float32))

    def mouth(self, rgb: RGB, face: Face) -> NDArray[np.float32] | None:
        """None: neither network knows the outline of lips."""
        return None

    def _second_look(self, rgb: RGB, face: Face) -> Face:
        """The same face with the keypoints found in a square cut around it, where it is found there again."""
        seen = self.again(rgb, face)
        return face if seen is None else Face(face.box, face.score, seen.keypoints)
