"""Driving key points from a `kps.pth`: a pickle, read without running anything it says (vexpress.md §9)."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from inference.retargeting import Points
from schemas.codes import Rejected

MOST_FRAMES = 1_000_000


def read_keypoints(path: str | Path) -> Points:
    """(n, 3, 2) float32: the first three of the key points of every frame. Raises `Rejected`: `vanished`, `decode_error`."""
    if not Path(path).is_file():
        raise Rejected("vanished", f"there is no file of key points {path}")
    try:
        with torch.serialization.safe_globals(_numpy_names()):
            said = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - a damaged pickle raises whatever its broken words lead to
        raise Rejected("decode_error", f"{path} holds no key points that can be read without running code") from error
    return _checked(said, path)


def _checked(said: Any, path: str | Path) -> Points:
    try:
        points = np.stack([np.asarray(frame, np.float32)[:3] for frame in said])
    except (TypeError, ValueError, IndexError) as error:
        raise Rejected("decode_error", f"{path} is no list of key points, three rows x, y for each frame") from error
    if points.shape[1:] != (3, 2) or not 0 < len(points) <= MOST_FRAMES or not np.isfinite(points).all():
        raise Rejected("decode_error", f"{path} holds {points.shape} numbers instead of three finite rows x, y for each frame")
    return points


def _numpy_names() -> list[Any]:
    """What an array is pickled as, by older and newer numpy."""
    from numpy._core.multiarray import _reconstruct

    names = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
    return [*((_reconstruct, name) for name in names), np.ndarray, np.dtype, type(np.dtype(np.float32)), type(np.dtype(np.float64))]
