"""Small videos of several scenes, made by ffmpeg's own sources: hard cuts between them, or fades."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

SOURCES = ("testsrc2", "mandelbrot=start_scale=2", "smptehdbars", "rgbtestsrc")


def scenes(
    path: Path,
    lengths_s: Sequence[float],
    *,
    fade_s: float = 0.0,
    fade: str = "fade",
    fps: int = 25,
    size: str = "160x120",
    sound: str | None = None,
) -> Path:
    """A video of one scene per length, one after the other; each fades into the next for `fade_s` seconds.

    `sound` is a lavfi source, or a file to take the sound from. Scene k > 0 begins `fade_s` earlier for every fade before it.
    """
    pictures = [f"{source}{'&:'['=' in source]}size={size}:rate={fps}".replace("&", "=") for source in SOURCES]
    words = ["ffmpeg", "-v", "error", "-y"]
    for number, length_s in enumerate(lengths_s):
        words += ["-f", "lavfi", "-t", str(length_s), "-i", pictures[number % len(pictures)]]
    if sound is not None:
        words += ["-i", sound] if Path(sound).exists() else ["-f", "lavfi", "-i", sound]
    words += ["-filter_complex", _graph(lengths_s, fade_s, fade), "-map", "[out]"]
    words += ["-map", f"{len(lengths_s)}:a", "-shortest", "-c:a", "aac"] if sound is not None else []
    subprocess.run([*words, "-pix_fmt", "yuv420p", "-preset", "veryfast", "-threads", "1", str(path)], check=True)
    return path


def _graph(lengths_s: Sequence[float], fade_s: float, fade: str) -> str:
    same = ";".join(f"[{number}:v]format=yuv420p,settb=AVTB[s{number}]" for number in range(len(lengths_s)))
    if not fade_s:
        inputs = "".join(f"[s{number}]" for number in range(len(lengths_s)))
        return f"{same};{inputs}concat=n={len(lengths_s)}:v=1:a=0[out]"
    steps, last, end_s = [], "s0", lengths_s[0]
    for number in range(1, len(lengths_s)):
        steps.append(f"[{last}][s{number}]xfade=transition={fade}:duration={fade_s}:offset={end_s - fade_s}[x{number}]")
        last, end_s = f"x{number}", end_s - fade_s + lengths_s[number]
    return ";".join([same, *steps]) + f";[{last}]null[out]"
