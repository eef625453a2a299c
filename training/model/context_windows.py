"""Which frames the UNet sees at once, and how many frames an audio gets (vexpress.md §8.2, §8.3)."""

from typing import NamedTuple

CONTEXT_FRAMES = 24
OVERLAP_FRAMES = 4


class VideoLength(NamedTuple):
    """So many frames, at the rate at which they last as long as the audio."""

    frames: int
    fps: float


def windows(frames: int, size: int = CONTEXT_FRAMES, overlap: int = OVERLAP_FRAMES) -> list[list[int]]:
    """Frame numbers of each window; the last one is mirrored at the end where frames are missing (never at a length from `video_length`)."""
    if frames <= size:
        return [list(range(frames))]
    starts = range(0, frames - overlap, size - overlap)
    return [[index if index < frames else frames - 2 - index % frames for index in range(start, start + size)] for start in starts]


def anchored_windows(frames: int, size: int = CONTEXT_FRAMES, overlap: int = OVERLAP_FRAMES) -> list[list[int]]:
    """As `windows` where whole windows fill the frames; else the last one is moved back to end at the last frame. Every frame is in one at least."""
    starts = [*range(0, max(frames - size, 0), size - overlap), max(frames - size, 0)]
    return [list(range(start, min(start + size, frames))) for start in starts]


def video_length(duration_s: float, fps: float, size: int = CONTEXT_FRAMES, overlap: int = OVERLAP_FRAMES) -> VideoLength:
    """The longest whole number of windows that `duration_s` at `fps` fills, stretched to `duration_s`.

    Raises `ValueError` for an audio shorter than one window.
    """
    wanted = int(duration_s * fps)
    if wanted < size:
        raise ValueError(f"{duration_s:g} s at {fps:g} fps are {wanted} frames, fewer than one window of {size}")
    frames = (size - overlap) * ((wanted - size) // (size - overlap)) + size
    return VideoLength(frames, frames / duration_s)
