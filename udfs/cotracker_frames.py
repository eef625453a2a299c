"""Which frames of a clip the scorer `cotracker` looks at (talkvid.md §3.2, §3.4; cotracker3.md §13, §15)."""

import math
from collections.abc import Sequence

from udfs.sampling import nearest

RELEASED_FPS_MAX = 30.0
TRIMMED_S = 0.2
"""Cut from each end of a clip of more than a second, as the released script does."""
PAPER_FPS = 25.0
PAPER_WINDOW = 16
PAPER_STRIDE = 8


def released_segments(pts: Sequence[float], fps: float, duration_s: float, segment_s: float = 6.0, frames_per_s: float = 2.0) -> list[list[int]]:
    """Frames of each segment, about `frames_per_s`, as indices into `pts`, the frame times in seconds.

    One segment for a clip of up to `segment_s`, first and last for up to twice that, else also one from the middle. The script counts frames
    at the constant rate `fps`; here a count is the frame nearest to that time, which for a constant rate is the same.
    """
    if not pts:
        return []
    frames = _at_most_30_fps(round((pts[-1] - pts[0]) * fps) + 1, fps)
    fps = min(fps, RELEASED_FPS_MAX)
    trimmed = int(TRIMMED_S * fps)
    if len(frames) > fps and trimmed:
        frames = frames[trimmed:-trimmed]
    times_s = [pts[0] + frame for frame in frames]
    step = max(1, int(fps / frames_per_s))
    spans = [
        range(max(0, math.floor(start_s * fps)), min(math.ceil(end_s * fps), len(times_s)), step) for start_s, end_s in _segment_spans(duration_s, segment_s)
    ]
    return [[nearest(pts, times_s[number]) for number in span] for span in spans if len(span)]


def _at_most_30_fps(count: int, fps: float) -> list[float]:
    """Times of the frames in seconds after the first, thinned to 30 a second as the script does."""
    if fps <= RELEASED_FPS_MAX:
        return [number / fps for number in range(count)]
    faster = fps / RELEASED_FPS_MAX
    return [int(number * faster) / fps for number in range(int(count / faster))]


def _segment_spans(duration_s: float, segment_s: float) -> list[tuple[float, float]]:
    first, last = (0.0, segment_s), (duration_s - segment_s, duration_s)
    if duration_s <= segment_s:
        return [(0.0, duration_s)]
    if duration_s <= 2 * segment_s:
        return [first, last]
    return [first, (duration_s / 2 - segment_s / 2, duration_s / 2 + segment_s / 2), last]


def paper_windows(pts: Sequence[float], most: int) -> list[list[int]]:
    """Up to `most` of the paper's windows, evenly spread: 16 frames at 25 a second, as indices into `pts`; windows begin every 8 frames.

    A clip shorter than a window is one window.
    """
    if not pts or most < 1:
        return []
    count = round((pts[-1] - pts[0]) * PAPER_FPS) + 1
    starts = list(range(0, max(1, count - PAPER_WINDOW + 1), PAPER_STRIDE))
    chosen = sorted({starts[round(part * (len(starts) - 1) / max(1, most - 1))] for part in range(most)}) if most < len(starts) else starts
    return [[nearest(pts, pts[0] + frame / PAPER_FPS) for frame in range(start, min(start + PAPER_WINDOW, count))] for start in chosen]
