"""Peak memory of one Python worker that scores a 30 s 1080p clip.

`python -m benchmarks.worker_memory [--scorers a,b] [--seconds 30]`; the clip is made by ffmpeg. The worker is a fresh process;
ffmpeg's own memory is stated apart.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.table import show

MIB = 1024


def measure(video: str, seconds: float, scorers: str) -> None:
    """Body of the fresh process: score once, print peak KiB of itself and of its largest child."""
    from udfs.registry import build
    from udfs.score_worker import ScoringPlan, score_items

    names = scorers.split(",")
    item = {"clip_id": "c", "video_id": "v", "uri": video, "start_s": 0.0, "end_s": seconds, "crop": None, "width": 1920, "height": 1080}
    item |= {"fps": 30.0, "has_audio": False, "scorers": names}
    ((_, rows),) = score_items(ScoringPlan.of(build(names)), [item])
    assert not rows[0]["failures"], rows[0]["failures"]
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


def main() -> None:
    """Make the clip, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scorers", default="technical,flow,head")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(args.measure, args.seconds, args.scorers)
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        video = str(Path(folder, "clip.mp4"))
        source = f"testsrc2=size=1920x1080:rate=30:duration={args.seconds}"
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-preset", "ultrafast", "-pix_fmt", "yuv420p", video], check=True)
        for scorers in [*args.scorers.split(","), args.scorers]:
            words = [sys.executable, "-m", "benchmarks.worker_memory", "--measure", video, "--seconds", str(args.seconds), "--scorers", scorers]
            own, child = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
            rows.append((scorers, f"{int(own) / MIB:.0f}", f"{int(child) / MIB:.0f}"))
    show(f"Peak memory of a worker, one {args.seconds:g} s 1080p clip", ("scorers", "worker, MiB", "its ffmpeg, MiB"), rows)


if __name__ == "__main__":
    main()
