"""DOVER and CoTracker3 on a GPU: `python -m benchmarks.networks_gpu [--compile] [--clips 24]`. Needs CUDA; says so and stops where there is none.

Times are medians of synchronised calls; the floor is what a plain bfloat16 matrix product of as many multiply-accumulates takes. The last table is that
of `benchmarks.bfloat16` for made-up clips.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import torch

from benchmarks import bfloat16
from benchmarks.dover_cpu import VIDEO_MACS
from benchmarks.table import show
from tests.udfs.nets.golden_rules import load_golden_weights
from udfs.nets.cotracker3.network import CoTracker3
from udfs.nets.cotracker3.predictor import predict_grid
from udfs.nets.dover.network import CLIPS_PER_VIDEO, Dover, raw_scores
from udfs.nets.linear import use_dtype

REPEATS = 7
DTYPES = (torch.float32, torch.bfloat16)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compile", action="store_true", help="compile DOVER's backbones")
    parser.add_argument("--clips", type=int, default=24, help="made-up clips that are scored in both dtypes")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("there is no CUDA device here: run this benchmark where one is")
    print(torch.cuda.get_device_name(), torch.__version__)
    _dover(compiled=arguments.compile)
    _cotracker3()
    with bfloat16.golden_weights():
        exact, rough = (bfloat16.made_up_values(arguments.clips, device, points_per_side=100) for device in bfloat16.in_both("cuda"))
    bfloat16.show_flips(exact, rough, torch.cuda.get_device_name())


def _dover(*, compiled: bool) -> None:
    exact = load_golden_weights(Dover())
    noise = torch.Generator().manual_seed(0)
    aesthetic, technical = (torch.randn(views, 3, 32, 224, 224, generator=noise) for views in (1, CLIPS_PER_VIDEO))
    expected = [scores[0] for scores in raw_scores(exact, aesthetic, technical)]
    floor_ms = 1000 * _product_seconds(VIDEO_MACS)
    rows = []
    for dtype in DTYPES:
        network = load_golden_weights(Dover()).in_dtype(dtype).cuda()
        found = [scores[0] for scores in raw_scores(network, aesthetic.cuda(), technical.cuda())]
        apart = max(abs(one - other) for one, other in zip(expected, found))
        if compiled:
            network.technical_backbone.compile()
            network.aesthetic_backbone.compile()
        for videos in (1, 2, 4, 8, 16):
            views = aesthetic.cuda().repeat(videos, 1, 1, 1, 1), technical.cuda().repeat(videos, 1, 1, 1, 1)
            torch.cuda.reset_peak_memory_stats()
            each_ms = 1000 * _seconds(lambda network=network, views=views: raw_scores(network, *views)) / videos
            rows.append((str(dtype), videos, f"{each_ms:.2f}", f"{100 * floor_ms / each_ms:.0f} %", _peak_gib(), f"{apart:.1e}"))
    show("DOVER", ("dtype", "clips at once", "ms per clip", "of the bfloat16 floor", "peak GiB", "from float32 on the CPU"), rows)


def _cotracker3() -> None:
    video = torch.rand(10, 3, 270, 480, generator=torch.Generator().manual_seed(0)) * 255
    rows, exact = [], 0.0
    for dtype in DTYPES:
        network = use_dtype(load_golden_weights(CoTracker3()), dtype).cuda()
        for points_at_once in (512, 1024, 2048, 10000):
            network.points_at_once = points_at_once
            torch.cuda.reset_peak_memory_stats()
            frames = video.cuda()
            call = lambda network=network, frames=frames: predict_grid(network, frames, 100, backward=False)
            ratio = float(call().visible.float().mean())
            exact = ratio if dtype == torch.float32 else exact
            rows.append((str(dtype), points_at_once, f"{_seconds(call):.3f}", _peak_gib(), f"{ratio:.5f}", f"{abs(ratio - exact):.1e}"))
    show("CoTracker3 ratio, 10,000 points, 10 frames", ("dtype", "points at once", "seconds", "peak GiB", "ratio", "from float32"), rows)


def _seconds(call: Callable[[], object]) -> float:
    for _ in range(2):
        call()
    times = []
    for _ in range(REPEATS):
        torch.cuda.synchronize()
        start = time.perf_counter()
        call()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _product_seconds(multiply_accumulates: float, side: int = 8192) -> float:
    a = torch.randn(side, side, device="cuda", dtype=torch.bfloat16)
    return _seconds(lambda: a @ a) * multiply_accumulates / side**3


def _peak_gib() -> str:
    return f"{torch.cuda.max_memory_allocated() / 2**30:.1f}"


if __name__ == "__main__":
    main()
