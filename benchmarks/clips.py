"""A lake full of real clips for benchmarks, made without Spark."""

from collections.abc import Sequence
from pathlib import Path

from schemas.ids import clip_id
from schemas.lake import Lake
from udfs import media


def videos_of(folder: Path) -> list[Path]:
    """Readable videos below a folder, in order."""
    return [path for path in sorted(folder.rglob("*")) if path.suffix in (".mp4", ".webm") and "broken" not in path.parts and "inference" not in path.parts]


def lake_of_clips(root: Path, videos: Sequence[Path], *, clips: int, clip_s: float) -> Lake:
    """A lake with at least `clips` clips of `clip_s` seconds: the videos' spans, repeated under new video ids."""
    lake = Lake.at(str(root))
    lake.ledger.create()
    found = [(path, media.probe(path)) for path in videos]
    video_rows: list[dict] = []
    clip_rows: list[dict] = []
    while len(clip_rows) < clips:
        for path, probe in found:
            video = f"b{len(video_rows):05d}"
            video_rows.append(
                {"video_id": video, "uri": str(path), "sha256": video, "bytes": probe.bytes, "width": probe.width, "height": probe.height}
                | {"fps": probe.fps, "duration_s": probe.duration_s, "has_audio": probe.has_audio, "frames": probe.frames}
            )
            spans = [(start * clip_s, (start + 1) * clip_s) for start in range(int(probe.duration_s // clip_s))]
            clip_rows += [{"clip_id": clip_id(video, *span), "preset": "default", "video_id": video, "start_s": span[0], "end_s": span[1]} for span in spans]
    lake.ledger.append("videos", video_rows)
    lake.ledger.append("clips", clip_rows)
    return lake
