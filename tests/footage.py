"""Tiny videos for tests, made by ffmpeg in a fraction of a second."""

import subprocess
from pathlib import Path


def moving_square(path: Path, *, seconds: float = 2, fps: int = 25, size: str = "64x48", tone: bool = False) -> Path:
    """A test picture that moves, with a tone when `tone`."""
    inputs = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={fps}:duration={seconds}"]
    inputs += ["-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}"] if tone else []
    subprocess.run(["ffmpeg", "-v", "error", "-y", *inputs, "-pix_fmt", "yuv420p", "-g", "10", str(path)], check=True)
    return path
