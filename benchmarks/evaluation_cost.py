"""What evaluating one pair of videos costs: seconds by family of metrics and the peak of memory, at two lengths (`python -m benchmarks.evaluation_cost`).

Networks that are not here do not count; SyncNet and the TorchScript networks are left out unless their weights are installed.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.table import show
from inference.evaluating import EvaluationPlan, evaluate_items
from inference.metrics.catalogue import METRICS, Settings
from udfs.footage import tiny_video

FAMILIES = {
    "L1, PSNR": ("l1", "psnr"),
    "SSIM": ("ssim",),
    "landmarks, identity": ("lmd", "lmd_interocular", "csim"),
    "LPIPS": ("lpips", "temporal_lpips"),
    "FID, FVD": ("fid", "fvd"),
    "lips and sound": ("lse_c", "lse_d", "sync_offset"),
}
LENGTHS_S = (5.0, 20.0)


def main() -> None:
    """Each family at each length, in a process of its own."""
    settings = Settings().with_backend()
    lacking = {metric.name for metric in METRICS if metric.lacks(settings)}
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for seconds in LENGTHS_S:
            for side in ("made", "real"):
                tiny_video(Path(folder, f"{side}-{seconds:g}.mp4"), seconds=seconds, size=(512, 512))
            for family, names in FAMILIES.items():
                if set(names) & lacking:
                    continue
                words = [sys.executable, "-m", "benchmarks.evaluation_cost", folder, f"{seconds:g}", ",".join(names)]
                cost = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
                rows.append((family, f"{seconds:g} s", *cost))
        show("One pair of 512x512 videos", ("metrics", "length", "CPU s with decoding", "peak, MiB"), rows)
        print(f"not here: {', '.join(sorted(lacking)) or 'nothing'}")


def one(folder: str, seconds: str, names: str) -> None:
    """Measure one pair, and print CPU seconds (of the decoders too) and the peak of this process."""
    wanted = names.split(",")
    plan = EvaluationPlan(tuple((name, name) for name in wanted), Settings().with_backend())
    places = {"generated": f"{folder}/made-{seconds}.mp4", "real": f"{folder}/real-{seconds}.mp4", "audio": None, "portrait": None}
    started = time.process_time()
    ((_, (row,)),) = evaluate_items(plan, [places | {"item_id": "e", "metrics": wanted}])
    assert row["code"] is None and all(value["value"] is not None for value in row["values"]), row
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = time.process_time() - started + children.ru_utime + children.ru_stime
    print(f"{spent:.1f} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}")


if __name__ == "__main__":
    one(*sys.argv[1:]) if len(sys.argv) == 4 else main()
