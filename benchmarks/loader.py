"""The data stream of training beside a bare reader: samples a second with two processes each, and memory over three epochs.

`python -m benchmarks.loader [--clips 120] [--frames 8] [--side 512] [--epochs 3] [--rounds 3]`

The bare reader is two processes that read the same Parquet files with pyarrow, row group by row group in the files' order, and decode
the same number of frames of each clip with PyAV: open, seek, decode, RGB. It draws nothing, mixes nothing and hands nothing on.

Exits 1 when the median of the rounds' ratios, bytes beside by hand, is below 0.9 (other work on the machine moves it), or memory grows by more than 5 %
from the first epoch to the last.
"""

import argparse
import io
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from benchmarks.limits import judged
from benchmarks.table import show

CLIP_FRAMES = 125
ROW_GROUP_ROWS, FILE_ROW_GROUPS = 12, 2
PROCESSES = 2
LEAST_RATIO, MOST_GROWTH = 0.9, 1.05


def written(folder: Path, clips: int, side: int) -> Any:
    """A snapshot of made-up clips of five seconds; real H.264, some hundred kilobytes each, features as wide as the real ones."""
    import numpy as np

    from tests.small_samples import sample, snapshot_of
    from udfs.footage import tiny_video
    from udfs.footage.encoder import X264

    options = dict(X264) | {"g": 12, "bf": 0}
    videos = [tiny_video(folder / f"{seed}.mp4", CLIP_FRAMES / 25, (side, side), 25.0, audio=None, seed=seed, video_options=options) for seed in range(4)]
    random = np.random.default_rng(0)
    features = {"audio_rows": 249, "audio_width": 768}
    rows = []
    for number in range(clips):
        sound = random.normal(size=(249, 768)).astype(np.float16).tobytes()
        rows.append(sample(f"clip-{number:04d}", CLIP_FRAMES, 0, side, video=videos[number % 4].read_bytes(), audio_features=sound, **features))
    return snapshot_of(folder, rows, ROW_GROUP_ROWS, FILE_ROW_GROUPS)


def by_hand(paths: list[str], part: int, frames: int, settings: Any, ready: Any, begun: Any, done: Any) -> None:
    """Body of a bare reader: every second row group; one sample of each row. It says when all that it imports is there."""
    import av
    import pyarrow.parquet as pq

    from training.sample import COLUMNS, choose

    ready.put(part)
    begun.wait()
    cpu_s = time.process_time()
    groups = [(path, number) for path in paths for number in range(pq.ParquetFile(path).num_row_groups)]
    for path, number in groups[part::PROCESSES]:
        table = pq.ParquetFile(path).read_row_group(number, columns=[*COLUMNS, "video"], use_threads=False)
        for place, (clip_id, video) in enumerate(zip(table["clip_id"].to_pylist(), table["video"].to_pylist())):
            key = choose(clip_id, CLIP_FRAMES, settings, 0, 1000 * number + place)
            with av.open(io.BytesIO(video), format="mov") as container:
                stream = container.streams.video[0]
                stream.thread_type = "NONE"
                for first, count in ((key.first_frame, frames), (key.reference_frame, 1)):
                    container.seek(round(first / 25 / stream.time_base), stream=stream)
                    found = []
                    for frame in container.decode(stream):
                        if round(frame.pts * stream.time_base * 25) >= first:
                            found.append(frame.to_ndarray(format="rgb24"))
                        if len(found) == count:
                            break
    done.put(time.process_time() - cpu_s)


def hand_rate(snapshot: Any, frames: int, settings: Any) -> tuple[float, float]:
    """Samples a second of the bare readers, from when both are ready, and their CPU seconds a sample."""
    context = get_context("spawn")
    ready, begun, done = context.Queue(), context.Event(), context.Queue()
    paths = [file.uri for file in snapshot.files]
    processes = [context.Process(target=by_hand, args=(paths, part, frames, settings, ready, begun, done)) for part in range(PROCESSES)]
    for process in processes:
        process.start()
    for _ in processes:
        ready.get()
    start = time.perf_counter()
    begun.set()
    cpu_s = sum(done.get() for _ in processes)
    taken = time.perf_counter() - start
    for process in processes:
        process.join()
    return len(snapshot) / taken, cpu_s / len(snapshot)


def stream_rate(snapshot: Any, settings: Any, epochs: int, floats: bool) -> tuple[float, float, list[float]]:
    """Samples a second of the stream once its processes run and their first batches are used up, CPU seconds a sample of all
    of them and the caller, and their MiB after each epoch."""
    from training.data import SampleStream

    memory = []
    with SampleStream(snapshot, settings) as stream:
        give = stream.__next__ if floats else stream.next_packed
        warm = 2 * 3 * PROCESSES
        for _ in range(warm):
            give()
        start, cpu_s = time.perf_counter(), _cpu_s()
        for _ in range(epochs):
            for _ in range(len(snapshot)):
                give()
            memory.append(sum(process.memory_info().rss for process in _tree()) / 2**20)
        given = epochs * len(snapshot)
        return given / (time.perf_counter() - start), (_cpu_s() - cpu_s) / given, memory


def _cpu_s() -> float:
    return sum(sum(process.cpu_times()[:2]) for process in _tree())


def _tree() -> list[psutil.Process]:
    own = psutil.Process()
    return [own, *own.children(recursive=True)]


def main() -> None:
    """Measure in turns, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=120)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    from training.data import StreamSettings
    from training.sample import SampleSettings

    settings = StreamSettings(frames=args.frames, batch_per_rank=1, seed=1, workers=PROCESSES)
    with tempfile.TemporaryDirectory() as folder:
        snapshot = written(Path(folder), args.clips, args.side)
        mib = sum(Path(file.uri).stat().st_size for file in snapshot.files) / 2**20
        rows, memory, ratios = [], [], []
        for number in range(args.rounds):
            hand, hand_cpu = hand_rate(snapshot, args.frames, SampleSettings(1, args.frames))
            packed, packed_cpu, _ = stream_rate(snapshot, settings, 1, floats=False)
            floats, _, memory = stream_rate(snapshot, settings, args.epochs if number == args.rounds - 1 else 1, floats=True)
            ratios.append(packed / hand)
            rows.append(
                (
                    number + 1,
                    f"{hand:.1f}",
                    f"{packed:.1f}",
                    f"{packed / hand:.2f}",
                    f"{floats:.1f}",
                    f"{floats / hand:.2f}",
                    f"{1000 * hand_cpu:.1f}",
                    f"{1000 * packed_cpu:.1f}",
                )
            )
    title = f"Loader, samples/s with {PROCESSES} processes: {args.clips} clips of 5 s, {args.side} px, {mib:.0f} MiB, {args.frames} + 1 frames a sample"
    show(title, ("round", "by hand", "stream, bytes", "ratio", "stream, float32 on the CPU", "ratio", "CPU-ms by hand", "CPU-ms stream, bytes"), rows)
    show("Memory of the stream's processes, trainer's included", ("epoch", "MiB"), [(number + 1, f"{value:.0f}") for number, value in enumerate(memory)])
    judged({f"{LEAST_RATIO} of reading by hand": median(ratios) >= LEAST_RATIO, "memory flat": memory[-1] <= MOST_GROWTH * memory[0]})


if __name__ == "__main__":
    main()
