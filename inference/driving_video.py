"""Driving key points out of a video, where no file of them is given."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.portrait import keypoints_in
from inference.retargeting import Points
from schemas.codes import Rejected
from udfs import media
from udfs.faces.backend import FaceBackend


def driving_keypoints(path: str | Path, width: int, height: int, faces: FaceBackend, frames: int, fps: float) -> Points:
    """Eyes and nose (n, 3, 2) at the times of the first `frames` frames of a video at `fps`, n < frames only where the driving video itself is shorter.

    Followed from frame to frame, in px of a picture of `width` x `height`; between frames, and where the face is lost for a while, on a straight line,
    before it is first seen and after it was last seen where it was then.
    Raises `Rejected`: `vanished`, `no_face` where no frame shows one, and as `udfs.media.frames`.
    """
    if not Path(path).is_file():
        raise Rejected("vanished", f"there is no driving video {path}")
    times_s = media.frame_times(path)
    asked_s = np.arange(frames) / fps
    asked_s = asked_s[asked_s <= times_s[-1] + 0.5 / fps]
    seen = list(_seen(path, width, height, faces, times_s, float(asked_s[-1])))
    if not seen:
        raise Rejected("no_face", f"no face was found in the driving video {path}")
    seen_s = np.array([time_s for time_s, _ in seen])
    rows = np.stack([points.ravel() for _, points in seen])
    columns = [np.interp(asked_s, seen_s, column) for column in rows.T]
    return np.stack(columns, axis=1).reshape(-1, 3, 2).astype(np.float32)


def _seen(path: str | Path, width: int, height: int, faces: FaceBackend, times_s: NDArray[np.float64], last_s: float) -> Iterator[tuple[float, Points]]:
    """Times and key points of the frames that show a face, up to the first frame that is not before `last_s`."""
    wanted = range(min(int(np.searchsorted(times_s, last_s)) + 1, len(times_s)))
    last: Points | None = None
    for index, frame in media.frames(path, times_s, 0.0, float(times_s[-1]) + 1.0, wanted):
        points = keypoints_in(frame, width, height, faces, last)
        if points is not None:
            last = points
            yield float(times_s[index]), points
