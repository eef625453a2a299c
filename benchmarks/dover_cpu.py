"""CPU seconds of DOVER on one clip, one thread: `python -m benchmarks.dover_cpu [VIDEO]`.

The networks see random views of the production size. With VIDEO, cutting the views of its first five seconds is measured, too, after decoding the frames they
are cut from as scorers do (ffmpeg's seconds count). With --onnx the whole network is exported, and run by onnxruntime.
"""

import argparse
import tempfile
from pathlib import Path
from statistics import median_high

import numpy as np
import torch

from benchmarks.cpu_clock import cpu_seconds, peak_gib, side_by_side
from tests.udfs.nets.golden_rules import load_golden_weights
from udfs import media
from udfs.nets.dover import views
from udfs.nets.dover.network import CLIPS_PER_VIDEO, Dover, raw_scores
from udfs.nets.dover.onnx_export import export
from udfs.nets.dover.onnx_session import OnnxJudge
from udfs.nets.dover.sampling import sample
from udfs.nets.linear import packed
from udfs.nets.tiles import keep_freed_memory
from udfs.scorer import Device

VIDEO_MACS = 336e9
"""Multiply-accumulates of three technical clips and an aesthetic one (dover.md §8)."""
CLIP_S = 5.0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", nargs="?", type=Path)
    parser.add_argument("--onnx", action="store_true", help="export the network, and run the export")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    torch.manual_seed(0)
    base_gib = peak_gib()
    network = packed(Dover().eval())
    aesthetic, technical = torch.randn(1, 3, 32, 224, 224), torch.randn(CLIPS_PER_VIDEO, 3, 32, 224, 224)
    steps = {"aesthetic": lambda: network.aesthetic_map(aesthetic), "technical": lambda: network.technical_map(technical)}
    with torch.inference_mode():
        _, first_s = cpu_seconds(lambda: raw_scores(network, aesthetic, technical))
        rounds = side_by_side(steps, VIDEO_MACS, arguments.rounds)
    networks_gib = peak_gib()
    print(f"DOVER, one video (3 technical clips, 1 aesthetic), one thread, {VIDEO_MACS / 1e9:.0f} GMAC, median of {arguments.rounds} rounds in turns")
    rows = rounds.medians_s | {"networks": median_high(rounds.totals_s), "first call of a process": first_s}
    if arguments.video:
        rows |= _preprocessing(arguments.video)
    for name, seconds in rows.items():
        print(f"{name:36s} {seconds:8.2f} CPU s")
    print(rounds.ratio_line(36))
    print(f"{'peak memory of the networks':36s} {networks_gib:8.2f} GiB, of which {base_gib:.2f} before the network was built")
    if arguments.onnx:
        for line in _exported(load_golden_weights(Dover().eval())):
            print(line)


def _preprocessing(path: Path) -> dict[str, float]:
    (found, times_s), look_s = cpu_seconds(lambda: (media.probe(path), media.frame_times(path)))
    count = media.span(times_s, 0.0, CLIP_S)[1]
    plan = sample(path.stem, count, found.height, found.width)
    wanted = sorted({*plan.technical.tolist(), *plan.aesthetic.tolist()})
    frames, decoding_s = cpu_seconds(lambda: dict(media.frames(path, times_s, 0.0, CLIP_S, wanted)))
    clips = [(frames[index], position // 32) for position, index in enumerate(plan.technical)]
    _, fragments_s = cpu_seconds(lambda: [views.mosaic(frame, plan.rows[clip], plan.columns[clip]) for frame, clip in clips])
    _, resize_s = cpu_seconds(lambda: [views.resized(frames[index], antialias=False) for index in plan.aesthetic])
    _, antialias_s = cpu_seconds(lambda: [views.resized(frames[index], antialias=True) for index in plan.aesthetic])
    _, normalise_s = cpu_seconds(lambda: views.normalised(np.zeros((128, 224, 224, 3), np.uint8)))
    size = f"{len(frames)} of {count} frames {found.width}x{found.height}"
    return {
        "probe and frame times of the file": look_s,
        f"decode {size}": decoding_s,
        "cut fragments": fragments_s,
        "resize": resize_s,
        "resize, antialiased": antialias_s,
        "normalise": normalise_s,
    }


def _exported(network: Dover) -> list[str]:
    """Lines about the export: seconds and size of the file, how far its scores are from the network's, CPU seconds and peak memory of a video."""
    generator = np.random.default_rng(0)
    shown = [generator.integers(256, size=(clips, 32, 224, 224, 3), dtype=np.uint8) for clips in (1, CLIPS_PER_VIDEO)]
    normal = [torch.from_numpy(np.stack([views.normalised(view) for view in clips])) for clips in shown]
    expected = raw_scores(network, *normal)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "dover.onnx")
        _, export_s = cpu_seconds(lambda: export(network, *normal, file))
        size_mib = sum(part.stat().st_size for part in Path(folder).iterdir()) / 2**20
        judge = OnnxJudge(file, Device())
        found, first_s = cpu_seconds(lambda: judge(*shown))
        _, run_s = cpu_seconds(lambda: judge(*shown))
    apart = [abs(one[0] - other[0]) for one, other in zip(expected, found, strict=True)]
    return [
        f"export {export_s:.1f} CPU s, {size_mib:.1f} MiB; its first run {first_s:.2f} CPU s, the next {run_s:.2f}; peak of the process {peak_gib():.2f} GiB",
        f"its scores differ from the network's by {apart[0]:.1e} (aesthetic) and {apart[1]:.1e} (technical)",
    ]


if __name__ == "__main__":
    main()
