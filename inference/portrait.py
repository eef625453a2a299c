"""The portrait: its picture as the networks take it, and where its eyes and nose are (vexpress.md §8.6)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.picture import read_picture
from inference.retargeting import Points
from schemas.codes import Rejected
from udfs.faces.backend import Face, FaceBackend

LEAST_SIDE_PX = 512
"""Faces are sought in a picture at least so large, whatever is generated."""


@dataclass(frozen=True)
class Portrait:
    """`pixels` (1, 3, H, W) in -1..1; `keypoints` left eye, right eye, nose in px of that picture."""

    pixels: Tensor
    keypoints: Points


def read_portrait(path: str | Path, width: int, height: int, faces: FaceBackend) -> Portrait:
    """A picture file at the size to generate, upright, its sides stretched to fit. Raises `Rejected`: `vanished`, `not_media`, `too_large`, `no_face`."""
    from PIL import Image

    picture = read_picture(path)
    pixels = np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS), np.float32) / 255 * 2 - 1
    points = keypoints_in(np.asarray(picture), width, height, faces)
    if points is None:
        raise Rejected("no_face", f"no face was found in the portrait {path}")
    return Portrait(torch.from_numpy(pixels).permute(2, 0, 1)[None].contiguous(), points)


def keypoints_in(rgb: NDArray[np.uint8], width: int, height: int, faces: FaceBackend, near: Points | None = None) -> Points | None:
    """Eyes and nose of the surest face, or of the one closest to `near`, in px of a picture of `width` x `height`; None where there is no face."""
    import cv2

    larger = max(1.0, LEAST_SIDE_PX / min(width, height))
    size = (round(width * larger), round(height * larger))
    found = faces.detect(cv2.resize(np.ascontiguousarray(rgb), size, interpolation=cv2.INTER_LINEAR))
    if not found:
        return None
    own = np.array([size[0] / width, size[1] / height], np.float32)
    return (_chosen(found, None if near is None else near * own).keypoints[:3] / own).astype(np.float32)


def _chosen(found: list[Face], near: Points | None) -> Face:
    return found[0] if near is None else min(found, key=lambda face: float(np.linalg.norm(face.keypoints[:3] - near)))
