"""The two views that DOVER has of a frame, cut from it one frame at a time (dover.md §1.2 to §1.4)."""

import numpy as np
from numpy.typing import NDArray

from udfs.nets.dover.sampling import CELLS, PATCH_PX, VIEW_PX

Frame = NDArray[np.uint8]
"""(height, width, 3), RGB."""

MEAN = np.array((123.675, 116.28, 103.53), np.float32)
STD = np.array((58.395, 57.12, 57.375), np.float32)
"""Per RGB channel, on the scale 0..255."""


def mosaic(frame: Frame, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Frame:
    """(224, 224, 3): 7 x 7 patches of 32 x 32 px at native resolution, one from each cell of the frame, moved by `rows` and `columns` (7, 7), in px.

    A frame smaller than 224 px on a side is enlarged first; cells then still follow its original size, as trained, so only the top left part is seen.
    """
    height, width = frame.shape[:2]
    if min(height, width) < PATCH_PX:
        raise ValueError(f"a frame of {width}x{height} px is smaller than one fragment of {PATCH_PX} px")
    top = np.minimum(height // CELLS * np.arange(CELLS), height - PATCH_PX)[:, None] + rows
    left = np.minimum(width // CELLS * np.arange(CELLS), width - PATCH_PX)[None, :] + columns
    source = _enlarged(frame)
    inside = np.arange(PATCH_PX)
    y = top[:, None, :, None] + inside[None, :, None, None]
    x = left[:, None, :, None] + inside[None, None, None, :]
    return source[y, x].reshape(VIEW_PX, VIEW_PX, 3)


def _enlarged(frame: Frame) -> Frame:
    """Bilinear, by the exact factor that makes the shorter side relative to 224 px fit; values truncated to whole numbers."""
    height, width = frame.shape[:2]
    ratio = min(height / VIEW_PX, width / VIEW_PX)
    if ratio >= 1:
        return frame
    import torch
    import torch.nn.functional as F

    planes = torch.from_numpy(frame).permute(2, 0, 1).unsqueeze(1).float() / 255
    larger = F.interpolate(planes, scale_factor=1 / ratio, mode="bilinear", align_corners=False) * 255
    return larger.to(torch.uint8).squeeze(1).permute(1, 2, 0).numpy()


def resized(frame: Frame, *, antialias: bool) -> Frame:
    """(224, 224, 3): the whole frame, bilinear, aspect ratio not kept, rounded half to even.

    Without `antialias` as the published scores of DOVER were made; with it as newer torchvision, and so TalkVid, does.
    """
    return _rounded(_antialiased(frame) if antialias else _bilinear(frame))


def _rounded(values: NDArray[np.float32]) -> Frame:
    return np.rint(values).astype(np.uint8)


def _bilinear(frame: Frame) -> NDArray[np.float32]:
    (top, down), (left, right) = (_neighbours(side) for side in frame.shape[:2])
    lower, upper = frame[top], frame[np.minimum(top + 1, frame.shape[0] - 1)]
    following = np.minimum(left + 1, frame.shape[1] - 1)
    down, right = down[:, None, None], right[None, :, None]
    first = lower[:, left] * (1 - right) + lower[:, following] * right
    second = upper[:, left] * (1 - right) + upper[:, following] * right
    return first * (1 - down) + second * down


def _neighbours(side: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each of 224 positions the pixel before it, and how far it lies towards the next one, 0..1."""
    scale = np.float32(side) / np.float32(VIEW_PX)
    place = np.maximum((np.arange(VIEW_PX, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5), np.float32(0))
    before = np.minimum(place.astype(np.int64), side - 1)
    return before, place - before.astype(np.float32)


def _antialiased(frame: Frame) -> NDArray[np.float32]:
    import torch
    import torch.nn.functional as F

    planes = torch.from_numpy(frame).permute(2, 0, 1).unsqueeze(0).contiguous().float()
    return F.interpolate(planes, size=(VIEW_PX, VIEW_PX), mode="bilinear", align_corners=False, antialias=True)[0].permute(1, 2, 0).numpy()


def normalised(view: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(T, 224, 224, 3) 8 bit -> (3, T, 224, 224), zero mean and unit deviation over the training data."""
    value = normal_values()
    return np.stack([value[:, channel][view[..., channel]] for channel in range(3)])


def normal_values() -> NDArray[np.float32]:
    """(256, 3): what each 8-bit value of each channel becomes."""
    return (np.arange(256, dtype=np.float32)[:, None] - MEAN) / STD
