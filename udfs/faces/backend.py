"""What a face back end must do, and what passes between it and the `head` scorer."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from udfs.scorer import RGB, Device

Keypoints = NDArray[np.float32]
"""(5, 2), x then y in pixels: left eye, right eye, nose, left and right mouth corner, left as seen in the picture."""


@dataclass(frozen=True, slots=True)
class Face:
    """A face found in a frame. `box` is left, top, right, bottom in pixels and may reach over the frame's edge; `score` is 0..1."""

    box: NDArray[np.float32]
    score: float
    keypoints: Keypoints


@dataclass(frozen=True, slots=True)
class Pose:
    """Head pose in degrees, in InsightFace's order and signs: looking up, towards the right of the picture, and tilted clockwise are positive."""

    pitch: float
    yaw: float
    roll: float


@dataclass(frozen=True, slots=True)
class Attributes:
    """Estimated age in years, and gender, `female` or `male`."""

    age: float
    gender: str


class FaceBackend(Protocol):
    """Detector, pose, identity and attributes of one family of networks. `name` goes into `scores.head.backend`.

    `weights` names what `setup` loads, so that a fingerprint can be made before it.
    """

    name: str
    weights: tuple[str, ...]
    pose_source: str

    def setup(self, device: Device) -> None:
        """Load the networks. Raises `MissingError` when weights are not there. Decides `pose_source`: `landmark_3d_68` or `pnp5`."""

    def detect(self, rgb: RGB) -> list[Face]:
        """All faces of a frame, the surest first."""

    def again(self, rgb: RGB, face: Face) -> Face | None:
        """A face of the frame before, sought close to where it was; None when it is not there."""

    def mouth(self, rgb: RGB, face: Face) -> NDArray[np.float32] | None:
        """The mouth's landmarks (20, 2) in pixels, 52 to 71 of 106; None when the back end has no such network."""

    def pose(self, rgb: RGB, face: Face) -> Pose:
        """Head pose of one face."""

    def chip(self, rgb: RGB, face: Face) -> RGB | None:
        """The face upright at the size `embed` takes, or None when the back end knows no identity."""

    def embed(self, chips: list[RGB]) -> NDArray[np.float32]:
        """One identity vector per chip, (n, d). Only called with what `chip` returned."""

    def attributes(self, rgb: RGB, face: Face) -> Attributes | None:
        """Age and gender, or None when the back end has no estimate."""
