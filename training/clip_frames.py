"""The few frames of a clip that a sample needs, decoded from the bytes in `samples`; the rest of the clip is not touched."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.errors import TalkvidError


class UndecodableError(TalkvidError):
    """A clip's bytes do not give the frames that its row promises."""


def decode_runs(video: bytes, runs: Sequence[range], fps: float, into: NDArray[np.uint8]) -> int:
    """Decode runs of consecutive frames into `into`, RGB (sum of lengths, H, W, 3), one run after the other.

    Frames are numbered by their time, k / `fps` after the first. Decoding begins at the key frame before each run and ends with it;
    returns how many frames were decoded on the way, wanted ones included. Raises `UndecodableError` for damaged or absent frames, or a
    picture of another size.
    """
    import av
    from av.video.reformatter import VideoReformatter

    try:
        with av.open(io.BytesIO(video), format="mov") as container:
            stream = container.streams.video[0]
            stream.thread_type = "NONE"
            stream.codec_context.options = {"err_detect": "explode"}
            reformatter, decoded, filled = VideoReformatter(), 0, 0
            origin, ticks = stream.start_time or 0, 1 / (stream.time_base * round(fps * 1000)) * 1000
            for run in runs:
                container.seek(origin + round(run.start * ticks), stream=stream)
                wanted = run.start
                for frame in container.decode(stream):
                    decoded += 1
                    number = round((frame.pts - origin) / ticks)
                    if number < wanted:
                        continue
                    if number > wanted or (frame.height, frame.width) != into.shape[1:3]:
                        break
                    into[filled] = _rgb(reformatter, frame)
                    wanted, filled = wanted + 1, filled + 1
                    if wanted == run.stop:
                        break
                if wanted != run.stop:
                    raise UndecodableError(f"frame {wanted} is not in it, or has another size than {into.shape[2]}x{into.shape[1]}")
    except (av.FFmpegError, IndexError) as error:
        raise UndecodableError(f"it cannot be decoded: {error}") from error
    return decoded


def _rgb(reformatter: "VideoReformatter", frame: "VideoFrame") -> NDArray[np.uint8]:  # noqa: F821 - PyAV's, imported where it is used
    """The frame's picture (H, W, 3) without copying it; valid while the frame that is made here lives, as long as the array does."""
    picture = reformatter.reformat(frame, format="rgb24")
    plane = picture.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(picture.height, plane.line_size)
    return rows[:, : 3 * picture.width].reshape(picture.height, picture.width, 3)
