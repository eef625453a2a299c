"""SyncNet and every metric beside their golden numbers: `python -m benchmarks.metrics_goldens [FOLDER]`.

FOLDER holds `metrics_golden.npz` and `.json`. Exits 1 when anything is out of tolerance. About ten CPU seconds. Numbers of what the published
TorchScript files do inside (resizing, Inception, I3D) need those files and are not here.
"""

import argparse
import sys
from pathlib import Path

import torch

from benchmarks.corpus import goldens_folder
from benchmarks.table import show
from tests.inference.metrics import golden_cases as metrics
from tests.udfs.nets import syncnet_cases as syncnet
from tests.udfs.nets.golden_rules import Golden
from tests.udfs.nets.metrics_rules import load_metric_weights
from udfs.nets.syncnet.network import SyncNet


def main() -> None:
    """Print one row per case: how many numbers, and the one that comes nearest to its tolerance."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=goldens_folder())
    golden = Golden.of("metrics", parser.parse_args().folder)
    torch.set_num_threads(1)
    network = load_metric_weights(SyncNet())
    cases = {
        "SyncNet: cepstra": syncnet.front_end_deviations(golden),
        "SyncNet: crop": syncnet.crop_deviations(golden),
        "SyncNet: towers": syncnet.tower_deviations(network, golden),
        "SyncNet: evaluation": syncnet.evaluation_deviations(network, golden),
        "SyncNet: known delay": syncnet.known_delay_deviations(golden),
        "Fréchet": metrics.frechet_deviations(golden),
        "LPIPS heads, alex": metrics.lpips_head_deviations(golden, "alex"),
        "LPIPS heads, vgg": metrics.lpips_head_deviations(golden, "vgg"),
        "LPIPS and temporal LPIPS, alex": metrics.lpips_deviations(golden, "alex"),
        "LPIPS and temporal LPIPS, vgg": metrics.lpips_deviations(golden, "vgg"),
        "SSIM, PSNR, L1": metrics.picture_deviations(golden),
        "LMD": metrics.landmark_deviations(golden),
        "CSIM": metrics.identity_deviations(golden),
    }
    rows, good = [], True
    for case, deviations in cases.items():
        found = list(deviations)
        worst = max(found, key=lambda deviation: deviation.found / deviation.allowed if deviation.allowed else deviation.found)
        within = all(deviation.within for deviation in found)
        good = good and within
        rows.append((case, len(found), worst.name, f"{worst.found:.1e}", f"{worst.allowed:.1e}", "yes" if within else "NO"))
    show("Golden numbers of the metrics", ("case", "numbers", "worst", "deviation", "tolerance", "within"), rows)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
