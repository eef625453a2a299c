"""Media files: what they are, their frames and sound, and new files cut from them. The names other modules import.

Only `udfs.ffmpeg` starts ffmpeg and ffprobe. All times are seconds from the file's first video frame.
"""

from udfs.audio import SAMPLE_RATE_HZ, audio_16k
from udfs.cut import CutResult, cut, join, still
from udfs.decode import Box, decoder_starts, frames, reset_decoder_starts, small_frames, span
from udfs.limits import Limits
from udfs.probe import Probe, probe
from udfs.sniff import sniff
from udfs.staging import local_path, staged
from udfs.timeline import frame_times

__all__ = [
    "SAMPLE_RATE_HZ",
    "Box",
    "CutResult",
    "Limits",
    "Probe",
    "audio_16k",
    "cut",
    "decoder_starts",
    "frame_times",
    "frames",
    "join",
    "local_path",
    "probe",
    "reset_decoder_starts",
    "small_frames",
    "sniff",
    "span",
    "staged",
    "still",
]
