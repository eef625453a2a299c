"""CPU seconds per source second of `talkvid segment` (shots + speech), of the way of the scripts replaced, and of a bare decode.

`python -m benchmarks.segmentation_cost [--copies 2] [FILE...]`
Spark's own start is taken off: it is what `segment` of one 2 s file in a fresh lake takes.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.corpus import corpus_folder
from benchmarks.process_tree import cpu_seconds_of
from benchmarks.table import show
from schemas.lake import Lake
from udfs import media
from udfs.footage.tiny import tiny_video

OLD_WAY_FLAG = "--old-way-of"


def lake_of_videos(root: Path, paths: Sequence[Path], copies: int = 1) -> Lake:
    """A fresh lake with these videos, each so many times under an id of its own."""
    lake = Lake.at(str(root))
    lake.ledger.create()
    rows = []
    for path in paths:
        found = media.probe(path)
        known = {"uri": str(path), "width": found.width, "height": found.height, "fps": found.fps, "duration_s": found.duration_s, "has_audio": found.has_audio}
        rows += [{"video_id": f"v{len(rows) + copy:03d}", "sha256": f"{len(rows) + copy}", **known} for copy in range(copies)]
    lake.ledger.append("videos", rows)
    return lake


def segment_cpu_s(lake: Lake, detector: str) -> float:
    """CPU seconds of the verb, Spark and all."""
    return cpu_seconds_of([sys.executable, "-m", "jobs.cli", "segment", "--lake", lake.place.root, "--detector", detector, "--device", "cpu", "--quiet"])


def old_way(path: Path) -> None:
    """Detect on a full decode, then cut and encode every scene and its sound (talkvid.md §1.2, steps 5 to 7)."""
    from scenedetect import HistogramDetector, detect

    offset_s, shorter_s = 0.3, 0.4
    with tempfile.TemporaryDirectory() as folder:
        for number, (start, end) in enumerate(detect(str(path), HistogramDetector(threshold=0.085, bins=256))):
            begin, length = f"{start.seconds + offset_s:.3f}", f"{end.seconds - start.seconds - shorter_s:.3f}"
            scene = Path(folder, f"scene{number}")
            first = ["ffmpeg", "-nostdin", "-v", "error", "-ss", begin, "-i", str(path), "-t", length]
            subprocess.run([*first, "-an", "-c:v", "libx264", "-preset", "medium", f"{scene}.mp4"], check=True)
            subprocess.run([*first, "-vn", "-c:a", "aac", f"{scene}.m4a"], check=True)


def main() -> None:
    """Measure all ways on the same files and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--copies", type=int, default=2, help="how often each file is segmented")
    parser.add_argument(OLD_WAY_FLAG, type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.old_way_of:
        old_way(args.old_way_of)
        return
    files = args.files or sorted(corpus_folder().glob("panel_*.mp4"))
    source_s = sum(media.probe(path).duration_s for path in files)
    with tempfile.TemporaryDirectory() as folder:
        tiny = tiny_video(Path(folder, "tiny.mp4"), seconds=2.0)
        start_s = segment_cpu_s(lake_of_videos(Path(folder, "start"), [tiny]), "transnet")
        ours = {}
        for detector in ("transnet", "content"):
            whole_s = segment_cpu_s(lake_of_videos(Path(folder, detector), files, args.copies), detector)
            ours[detector] = (whole_s - start_s) / (source_s * args.copies)
    bare = sum(cpu_seconds_of(["ffmpeg", "-nostdin", "-i", str(path), "-an", "-vf", "scale=256:-2", "-f", "null", "-"]) for path in files) / source_s
    old = sum(cpu_seconds_of([sys.executable, "-m", "benchmarks.segmentation_cost", OLD_WAY_FLAG, str(path)]) for path in files) / source_s
    rows = [(f"segment --detector {name}", f"{cost:.3f}", f"{old / cost:.1f}", f"{cost / bare:.2f}") for name, cost in ours.items()]
    rows += [("detect + x264 of every scene", f"{old:.3f}", "1.0", f"{old / bare:.2f}"), ("bare ffmpeg decode, 256 px", f"{bare:.3f}", "", "1.00")]
    show(
        f"Segmentation of {len(files)} files, {source_s:.0f} s, {args.copies} times (Spark's start, {start_s:.0f} CPU s, taken off)",
        ("way", "CPU s per source s", "times cheaper than detect + x264 (5; 8)", "times the bare decode (3.0; 1.6)"),
        rows,
    )


if __name__ == "__main__":
    main()
