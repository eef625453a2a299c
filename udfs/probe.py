"""A media file in numbers: what `ingest` stores of it."""

from dataclasses import dataclass
from pathlib import Path

from udfs.limits import DEFAULT_LIMITS, Limits
from udfs.timeline import timeline


@dataclass(frozen=True)
class Probe:
    """A media file in numbers. `width` x `height` is the displayed picture, upright, in square pixels; `rotation` the clockwise turn (0, 90, 180,
    270) that makes it upright; `fps` the average; `start_s` the file's own time of its first video frame; `container` ffmpeg's demuxer name."""

    container: str
    video_codec: str
    audio_codec: str | None
    width: int
    height: int
    fps: float
    frames: int
    duration_s: float
    rotation: int
    has_audio: bool
    sample_rate: int | None
    start_s: float
    bytes: int


def probe(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> Probe:
    """Describe a file that holds video.

    Raises `Rejected`: vanished, not_media, forbidden_reference, no_video, truncated, too_large, timeout, decode_error.
    """
    line = timeline(path, limits)
    header, frames = line.header, len(line.times_s)
    duration_s = line.duration_s
    return Probe(
        container=header.demuxer,
        video_codec=header.video_codec or "",
        audio_codec=header.audio_codec,
        width=header.width,
        height=header.height,
        fps=header.fps or frames / duration_s,
        frames=frames,
        duration_s=duration_s,
        rotation=header.rotation,
        has_audio=header.audio_codec is not None,
        sample_rate=header.sample_rate,
        start_s=line.origin_s,
        bytes=header.bytes,
    )
