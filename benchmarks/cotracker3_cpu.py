"""CPU seconds of CoTracker3 (offline, one direction) on one thread: `python -m benchmarks.cotracker3_cpu [--points-per-side 32] [--frames 10] [--rounds 3]`."""

import argparse
from statistics import median_high

import torch

from benchmarks.cpu_clock import peak_gib, side_by_side
from udfs.nets.cotracker3.network import ITERATIONS, CoTracker3, track_offline
from udfs.nets.cotracker3.predictor import fitted, grid
from udfs.nets.linear import packed
from udfs.nets.tiles import keep_freed_memory

FRAME_MACS = 25.9e9
POINT_MACS = 16.7e6
VIRTUAL_MACS = 1.0e9
"""Multiply-accumulates of a frame's features, of a point per frame and iteration, of the virtual tracks per frame and iteration (cotracker3.md §14)."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points-per-side", type=int, default=32)
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    torch.manual_seed(0)
    base_gib = peak_gib()
    network = packed(CoTracker3().eval())
    points = grid(arguments.points_per_side)
    video = torch.rand(arguments.frames, 3, 270, 480) * 255
    macs = arguments.frames * (FRAME_MACS + ITERATIONS * (len(points) * POINT_MACS + VIRTUAL_MACS))
    with torch.inference_mode():
        pyramid = network.pyramid(fitted(video))
        steps = {"resize and features": lambda: network.pyramid(fitted(video)), f"{ITERATIONS} iterations": lambda: track_offline(network, pyramid, points)}
        rounds = side_by_side(steps, macs, arguments.rounds)
    size = f"{arguments.frames} frames of 384x512, {len(points)} points, one direction, one thread, {macs / 1e9:.0f} GMAC"
    print(f"CoTracker3 offline, {size}, median of {arguments.rounds} rounds in turns")
    rows = rounds.medians_s | {"whole call": median_high(rounds.totals_s)}
    for name, seconds in rows.items():
        print(f"{name:28s} {seconds:8.2f} CPU s {1000 * seconds / len(points):8.2f} CPU ms per point")
    print(rounds.ratio_line(28))
    print(f"{'peak memory':28s} {peak_gib():8.2f} GiB, of which {base_gib:.2f} before the network was built")


if __name__ == "__main__":
    main()
