"""What the face is to say: the whole sound, and the tokens that each frame hears of it (vexpress.md §7)."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from schemas.codes import Rejected
from training.audio_windows import frame_windows, stretched
from training.model.audio_projection import AudioProjection
from udfs.audio import SAMPLE_RATE_HZ, audio_input
from udfs.ffmpeg import explain, ffmpeg_arguments, run
from udfs.header import Header, read_header
from udfs.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from udfs.speech_features import SpeechEncoder

WHOLE_S = 60.0
"""Sound up to so long is heard in one pass, as the released program hears any. Longer sound is heard in passes of this length: its memory grows
with the square of the length of a pass."""
BESIDE_S = 5.0
"""What a pass hears before and after what it is asked for."""
FRAMES_AT_ONCE = 64
LONGEST_S = 3 * 3600.0


def whole_sound(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> NDArray[np.float32]:
    """The first sound stream from its first sample to its last, mono float32 in -1..1 at 16 kHz; gaps become silence.

    Raises `Rejected`: `no_audio`, `vanished`, `not_media`, `too_large` past three hours, and as `udfs.media.probe`.
    """
    if not Path(path).is_file():
        raise Rejected("vanished", f"there is no sound file {path}")
    header = read_header(path, limits)
    if header.audio_codec is None:
        raise Rejected("no_audio", f"{path} has no sound")
    mono = whole_stream(path, header).filter("aresample", SAMPLE_RATE_HZ).filter("aformat", sample_fmts="flt", channel_layouts="mono")
    output = mono.output("pipe:1", format="f32le")
    finished = run("ffmpeg", ffmpeg_arguments(output), limit_s=limits.decode_timeout_s(LONGEST_S), max_output_bytes=int(LONGEST_S) * SAMPLE_RATE_HZ * 4)
    if finished.status != 0 or len(finished.output) < 4:
        raise explain(finished) if finished.status != 0 else Rejected("no_audio", f"{path} has a sound stream of no length")
    return np.frombuffer(finished.output, np.float32)


def whole_stream(path: str | Path, header: Header) -> Any:
    """The sound at its own rate as an ffmpeg-python stream whose first sample is at time 0."""
    return audio_input(path, header, header.container_start_s).filter("asetpts", "PTS-STARTPTS").filter("aresample", **{"async": 1}, first_pts=0)


def heard(encoder: "SpeechEncoder", sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """wav2vec2's rows (n, width) of a sound of any length, about 50 a second, in bounded memory."""
    if len(sound) <= WHOLE_S * SAMPLE_RATE_HZ:
        return encoder.encode(sound)
    return np.concatenate(list(_in_passes(encoder, sound)))


def _in_passes(encoder: "SpeechEncoder", sound: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    step, beside = int((WHOLE_S - 2 * BESIDE_S) * SAMPLE_RATE_HZ), int(BESIDE_S * SAMPLE_RATE_HZ)
    for first in range(0, len(sound), step):
        after = min(first + step, len(sound))
        begin, end = max(0, first - beside), min(len(sound), after + beside)
        rows = encoder.encode(sound[begin:end])
        per_sample = len(rows) / (end - begin)
        yield rows[round((first - begin) * per_sample) : round((after - begin) * per_sample)]


@torch.no_grad()
def tokens(projection: AudioProjection, rows: NDArray[np.float32], frames: int) -> Tensor:
    """(1, frames, tokens, width) on the CPU, in the dtype of the projection: what each of `frames` frames, which last as long as the sound, hears."""
    weight = projection.pos_emb.weight
    spread = stretched(torch.from_numpy(rows), frames)
    parts = (range(first, min(first + FRAMES_AT_ONCE, frames)) for first in range(0, frames, FRAMES_AT_ONCE))
    return torch.cat([projection(frame_windows(spread, part).to(weight.device)).cpu() for part in parts])[None]
