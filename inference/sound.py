"""What the face is to say: the whole sound, and the tokens that each frame hears of it (vexpress.md §7)."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.on_disk import OnDisk
from schemas.codes import Rejected
from training.audio_windows import PAD_FRAMES, ROWS, ROWS_PER_FRAME
from training.model.audio_projection import AudioProjection
from udfs.audio import SAMPLE_RATE_HZ, audio_input, mono_16k
from udfs.ffmpeg import explain, ffmpeg_arguments, run
from udfs.header import Header, read_header
from udfs.limits import DEFAULT_LIMITS, Limits
from udfs.speech_features import rows_of

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
    output = mono_16k(whole_stream(path, header)).output("pipe:1", format="f32le")
    finished = run("ffmpeg", ffmpeg_arguments(output), limit_s=limits.decode_timeout_s(LONGEST_S), max_output_bytes=int(LONGEST_S) * SAMPLE_RATE_HZ * 4)
    if finished.status != 0 or len(finished.output) < 4:
        raise explain(finished) if finished.status != 0 else Rejected("no_audio", f"{path} has a sound stream of no length")
    return np.frombuffer(finished.output, np.float32)


def whole_stream(path: str | Path, header: Header) -> Any:
    """The sound at its own rate as an ffmpeg-python stream whose first sample is at time 0."""
    return audio_input(path, header, header.container_start_s).filter("asetpts", "PTS-STARTPTS").filter("aresample", **{"async": 1}, first_pts=0)


class Pass(NamedTuple):
    """Samples that are heard at once, and the rows of them that are kept."""

    samples: slice
    rows: slice


def heard(encoder: "SpeechEncoder", sound: NDArray[np.float32]) -> OnDisk:
    """wav2vec2's rows (n, width) of a sound of any length, about 50 a second, in bounded memory."""
    passes = list(_passes(len(sound)))
    kept = OnDisk((sum(one.rows.stop - one.rows.start for one in passes), encoder.width))
    first = 0
    for one in passes:
        rows = torch.from_numpy(encoder.encode(sound[one.samples]))[one.rows]
        kept.tensor[first : first + len(rows)] = rows
        kept.touched(rows.nbytes)
        first += len(rows)
    return kept


def _passes(samples: int) -> Iterator[Pass]:
    if samples <= WHOLE_S * SAMPLE_RATE_HZ:
        yield Pass(slice(0, samples), slice(0, rows_of(samples)))
        return
    step, beside = int((WHOLE_S - 2 * BESIDE_S) * SAMPLE_RATE_HZ), int(BESIDE_S * SAMPLE_RATE_HZ)
    for first in range(0, samples, step):
        after = min(first + step, samples)
        begin, end = max(0, first - beside), min(samples, after + beside)
        per_sample = rows_of(end - begin) / (end - begin)
        yield Pass(slice(begin, end), slice(round((first - begin) * per_sample), round((after - begin) * per_sample)))


@torch.no_grad()
def tokens(projection: AudioProjection, rows: OnDisk, frames: int) -> OnDisk:
    """(1, frames, tokens, width) in the dtype of the projection: what each of `frames` frames, which last as long as the sound, hears."""
    weight = projection.pos_emb.weight
    kept: OnDisk | None = None
    for first in range(0, frames, FRAMES_AT_ONCE):
        after = min(first + FRAMES_AT_ONCE, frames)
        found = projection(_windows(rows.tensor, frames, first, after).to(weight.device)).cpu()
        kept = kept or OnDisk((1, frames, *found.shape[1:]), found.dtype)
        kept.tensor[0, first:after] = found
        kept.touched(found.nbytes)
        rows.touched(rows.tensor.nbytes * (after - first) // frames)
    assert kept is not None
    return kept


def _windows(rows: Tensor, frames: int, first: int, after: int) -> Tensor:
    """As `frame_windows(stretched(rows, frames), range(first, after))`, from no more than the rows that these frames hear."""
    beside = ROWS_PER_FRAME * PAD_FRAMES
    wanted = torch.arange(ROWS_PER_FRAME * first - beside, ROWS_PER_FRAME * after + beside)
    scale = torch.tensor(len(rows), dtype=torch.float32) / (ROWS_PER_FRAME * frames)
    places = ((wanted + 0.5) * scale - 0.5).clamp(0, len(rows) - 1)
    left = places.long()
    share = (places - left)[:, None]
    low = int(left[0])
    near = rows[low : int(left[-1]) + 2].float()
    right = (left + 1).clamp_max(len(rows) - 1)
    spread = (1 - share) * near[left - low] + share * near[right - low]
    spread[(wanted < 0) | (wanted >= ROWS_PER_FRAME * frames)] = 0
    starts = ROWS_PER_FRAME * torch.arange(after - first)
    return spread.to(rows.dtype)[starts[:, None] + torch.arange(ROWS)]
