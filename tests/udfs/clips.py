"""Tiny generated media for the tests of media access."""

import subprocess
from pathlib import Path

import numpy as np

PICTURE = "testsrc2=size=160x120:rate=25:duration=4"
TONE = "sine=frequency=440:sample_rate=44100:duration=4"


def make(path: Path, *options: str, picture: str | None = PICTURE, sound: str | None = TONE) -> Path:
    """Encode ffmpeg's test sources; `options` are output options."""
    inputs = [word for text in (picture, sound) if text for word in ("-f", "lavfi", "-i", text)]
    return convert(path, *inputs, *options)


def convert(path: Path, *arguments: str) -> Path:
    """Run ffmpeg with these arguments and this output."""
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *arguments, f"file:{path}"], check=True, stdin=subprocess.DEVNULL)
    return path


def every_frame(path: Path, width: int, height: int, filters: str = "null") -> np.ndarray:
    """All frames by a plain decode of the whole file, through `filters`: (frames, height, width, 3), RGB."""
    command = ["ffmpeg", "-v", "quiet", "-nostdin", "-i", f"file:{path}", "-map", "0:V:0", "-vf", filters, "-fps_mode", "passthrough", "-f", "rawvideo"]
    raw = subprocess.run([*command, "-pix_fmt", "rgb24", "-"], capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)
