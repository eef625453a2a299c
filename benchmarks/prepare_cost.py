"""CPU seconds per second of footage of each step of `talkvid prepare`, at full size, and how even the row groups come out.

`python -m benchmarks.prepare_cost [--seconds 4] [FILE...]`
wav2vec2 has its published size and random weights: they cost the same. Programs that are started count too.
"""

import argparse
import resource
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
import pyarrow as pa

from benchmarks.corpus import corpus_folder
from benchmarks.table import show
from schemas.lake import Lake
from schemas.row_groups import GroupedTable, write_file
from udfs import media
from udfs.encode import encoded
from udfs.face_track import square_crop
from udfs.preparing import FPS, PrepareSettings, Tools, follow, load_tools, nearest_frames, pictures, sound_of, whole_frames
from udfs.scorer import Clip, Device
from udfs.speech_features import SpeechEncoder

Result = TypeVar("Result")
FILES = ("speech_512p25_15s_l4.mp4", "upper_body_720p30.mp4", "small_face_720p30_6s.mp4", "full_body_720x1080_4s.mp4")


def spent_s() -> float:
    """CPU seconds of this process and of those it started and has waited for."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def cost(work: Callable[[], Result]) -> tuple[Result, float]:
    """What `work` returns, and the CPU seconds it took."""
    before = spent_s()
    result = work()
    return result, spent_s() - before


def published_size() -> SpeechEncoder:
    """wav2vec2-base with random weights."""
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    return SpeechEncoder(Wav2Vec2Model(Wav2Vec2Config()), Device(), "random:cost")


def measured(path: Path, seconds: float, tools: Tools, settings: PrepareSettings) -> list[object]:
    """A row of the table for one file."""
    facts = media.probe(path)
    length_s = min(seconds, facts.duration_s)
    clip = Clip("c", "v", str(path), 0.0, length_s, facts.width, facts.height, facts.fps, facts.has_audio)
    frames = whole_frames(length_s)
    sources = nearest_frames(media.frame_times(path), clip, frames)
    _, decode = cost(lambda: sum(1 for _ in media.frames(path, media.frame_times(path), 0.0, length_s, sorted(set(sources)))))
    (track, _), followed = cost(lambda: follow(clip, path, sources, tools, settings))
    crop = square_crop(track.boxes, clip.width_px, clip.height_px)
    _, cut = cost(lambda: sum(1 for _ in pictures(path, clip, sources, crop, settings.side_px)))
    video, written = cost(lambda: encoded(pictures(path, clip, sources, crop, settings.side_px), settings.side_px, FPS, settings.encoding))
    sound, heard = cost(lambda: sound_of(clip, path, frames))
    _, listened = cost(lambda: tools.speech.encode(sound))
    steps = [decode, followed - decode, cut, written - cut, heard, listened]
    total = followed + written + heard + listened
    return [path.name, f"{facts.width}x{facts.height}", *(f"{step / length_s:.2f}" for step in (*steps, total)), f"{len(video) / length_s / 1e3:.0f}"]


def row_groups(clips: int) -> list[list[object]]:
    """Stored sizes of row groups after clips of 3 to 30 s came in small batches, as first committed and joined."""
    random = np.random.default_rng(0)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.at(folder)
        lake.ledger.create()
        table = GroupedTable(lake.ledger, "samples")
        for first in range(0, clips, 12):
            sizes = (random.uniform(3, 30, 12) * 60_000).astype(int)
            batch = pa.table(
                {"clip_id": [f"c{first + number:05d}" for number in range(12)], "video": pa.array([random.bytes(size) for size in sizes], pa.binary())}
            )
            table.commit([write_file(table.root, "samples", batch)])
        for when in ("as committed", "joined"):
            if when == "joined":
                table.level()
            found = [size / 2**20 for size in table.row_group_bytes()]
            numbers = [f"{number:.1f}" for number in (min(found), median(found), max(found))]
            rows.append([when, len(lake.ledger.files("samples")), len(found), *numbers, f"{max(found) / min(found):.2f}"])
    return rows


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--seconds", type=float, default=4.0, help="how much of each file")
    parser.add_argument("--clips", type=int, default=240, help="rows for the row groups")
    args = parser.parse_args()
    settings = replace(PrepareSettings.of(smoke=True), side_px=512)
    tools = Tools(load_tools(settings, "cpu").finder, published_size())
    files = args.files or [corpus_folder() / "singles" / name for name in FILES]
    tools.speech.encode(np.zeros(16_000, np.float32))
    headings = ("file", "size", "decode", "follow the face", "decode, crop, resize", "encode", "sound", "wav2vec2", "all", "kB of video per s")
    show("talkvid prepare, CPU s per s of footage (512 px, CPU only)", headings, [measured(path, args.seconds, tools, settings) for path in files])
    show(
        f"Row groups of {args.clips} clips of 3 to 30 s (MiB)",
        ("when", "files", "row groups", "smallest", "median", "largest", "largest / smallest"),
        row_groups(args.clips),
    )


if __name__ == "__main__":
    main()
