"""CPU seconds of CoTracker3 (offline, one direction) on one thread: `python -m benchmarks.cotracker3_cpu [--points-per-side 32] [--frames 10]`."""

import argparse

import torch

from benchmarks.cpu_clock import cpu_seconds, peak_gib, product_seconds
from udfs.nets.cotracker3.network import ITERATIONS, CoTracker3, track_offline
from udfs.nets.cotracker3.predictor import NETWORK_SIZE, fitted, grid
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
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    torch.manual_seed(0)
    base_gib = peak_gib()
    network = CoTracker3().eval()
    points = grid(arguments.points_per_side)
    video = torch.rand(arguments.frames, 3, 270, 480) * 255
    macs = arguments.frames * (FRAME_MACS + ITERATIONS * (len(points) * POINT_MACS + VIRTUAL_MACS))
    with torch.inference_mode():
        network.fnet.unit_features(torch.zeros(1, 3, *NETWORK_SIZE))
        before_s = product_seconds(macs)
        pyramid, features_s = cpu_seconds(lambda: network.pyramid(fitted(video)))
        _, iterations_s = cpu_seconds(lambda: track_offline(network, pyramid, points))
        product_s = (before_s + product_seconds(macs)) / 2
    total_s = features_s + iterations_s
    print(f"CoTracker3 offline, {arguments.frames} frames of 384x512, {len(points)} points, one direction, one thread, {macs / 1e9:.0f} GMAC")
    rows = {"resize and features": features_s, f"{ITERATIONS} iterations": iterations_s, "whole call": total_s, "plain product of that size": product_s}
    for name, seconds in rows.items():
        print(f"{name:28s} {seconds:8.2f} CPU s {1000 * seconds / len(points):8.2f} CPU ms per point")
    print(f"{'ratio to the product':28s} {total_s / product_s:8.2f}")
    print(f"{'peak memory':28s} {peak_gib():8.2f} GiB, of which {base_gib:.2f} before the network was built")


if __name__ == "__main__":
    main()
