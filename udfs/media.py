"""Media files: what they are, their frames and sound, and new files cut from them. The names other modules import.

Only `udfs.ffmpeg` starts ffmpeg and ffprobe. All times are seconds from the file's first video frame.
"""

from udfs.decode import Box, decoder_starts, frames, reset_decoder_starts, small_frames, span
from udfs.probe import Limits, Probe, frame_times, probe
from udfs.sniff import sniff

__all__ = ["Box", "Limits", "Probe", "decoder_starts", "frame_times", "frames", "probe", "reset_decoder_starts", "small_frames", "sniff", "span"]
