"""How far the talking-head model is from its golden numbers: `python -m benchmarks.vexpress_goldens [FOLDER] [--dtypes float64,float32]`.

FOLDER holds `vexpress_golden.npz` and `.json`. Exits 1 when anything is out of tolerance. Resampled sound is ffmpeg's, not the original's, and has no
row; the mask of a mouth that reaches out of the image departs on purpose (`training/face_masks.py`).
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from benchmarks.corpus import goldens_folder
from benchmarks.limits import largest
from inference import retargeting
from inference.median import smoothed
from tests.training.model import golden_cases as cases
from tests.training.model.golden_model import given, golden_model
from training.face_masks import box_mask, lip_box
from training.keypoint_image import draw_keypoints
from training.model import ddim
from training.model.context_windows import anchored_windows, video_length, windows
from training.model.noise_schedule import add_noise, alpha_bars, min_snr_weight, velocity
from training.model.sampling import initial_noise


class Row(NamedTuple):
    """One line of the table."""

    case: str
    tolerance: float
    deviation: float


class Goldens:
    """The stored numbers."""

    def __init__(self, folder: Path) -> None:
        self.arrays = dict(np.load(folder / "vexpress_golden.npz"))
        self.facts = json.loads((folder / "vexpress_golden.json").read_text())

    def row(self, name: str, found: np.ndarray, dtype: str) -> Row:
        """The largest difference in array `name`."""
        facts = self.facts["arrays"][name]
        tolerance = facts.get(f"abs_tol_{dtype}", facts.get("abs_tol_float32", 0.0))
        wanted = self.arrays[name]
        if found.shape != wanted.shape:
            return Row(name, tolerance, math.inf)
        return Row(name, tolerance, largest([np.abs(found.astype(np.float64) - wanted.astype(np.float64)).max()]))


def network_rows(goldens: Goldens, dtype: str) -> Iterator[Row]:
    """Everything that has an array and a network."""
    torch_dtype = getattr(torch, dtype)
    model = golden_model(torch_dtype)
    points = goldens.arrays["guider/kps_points"]
    with torch.no_grad():
        for produced in (
            cases.portrait_cases(model),
            cases.small_network_cases(model, points),
            cases.full_projection_case(torch_dtype),
            cases.motion_cases(model),
            cases.denoising_cases(model),
            cases.trace_case(model, goldens.facts["unet3d_trace"]["names"]),
            cases.sampling_cases(model, points),
        ):
            for name, tensor in produced:
                yield goldens.row(name, tensor.numpy(), dtype)


def training_rows(goldens: Goldens, dtype: str, checkpointing: bool) -> Iterator[Row]:
    """The seven training runs; loss and gradient norms relative."""
    points, groups = goldens.arrays["guider/kps_points"], goldens.facts["train_group_regexes"]
    loss_tolerance, norm_tolerance = goldens.facts["train_rel_tol"]["loss"], goldens.facts["train_rel_tol"]["grad_norm"]
    for name, facts in goldens.facts["train"].items():
        run = cases.training_run(golden_model(getattr(torch, dtype)), facts, points, groups, checkpointing=checkpointing)
        label = f"train/{name}{' checkpointed' if checkpointing else ''}"
        for part, tensor in (("model_pred", run.prediction), ("noisy", run.noisy), ("velocity", run.target)):
            if f"train/{name}/{part}" in goldens.arrays:
                yield goldens.row(f"train/{name}/{part}", tensor.numpy(), dtype)._replace(case=f"{label}/{part}")
        yield Row(f"{label} loss", loss_tolerance, abs(run.loss / facts["loss"] - 1))
        yield Row(f"{label} per-sample losses", loss_tolerance, largest(abs(a / b - 1) for a, b in zip(run.per_sample, facts["per_sample_unweighted"])))
        yield Row(f"{label} gradient norm", norm_tolerance, abs(run.grad_norms["total"] / facts["total_grad_norm"] - 1))
        groupwise = largest(_relative(run.grad_norms[group], of["grad_norm"]) for group, of in facts["groups"].items())
        yield Row(f"{label} gradient norms of groups", norm_tolerance, groupwise)
        counted = {group: (of["tensors"], of["none"] + of["exactly_zero"]) for group, of in facts["groups"].items()}
        yield Row(f"{label} tensors without gradient", 0.0, float(run.tensors != counted))


def plain_rows(goldens: Goldens) -> Iterator[Row]:
    """Drawings, masks, schedule, windows: no network."""
    facts, arrays = goldens.facts, goldens.arrays
    for name, image in facts["kps_images"].items():
        yield goldens.row(f"kps/{name}", draw_keypoints(np.array(image["points"], np.float32), 512, 512), "float32")
    mask = box_mask(lip_box(arrays["lip/landmarks_1"]), (512, 512), (64, 64))
    yield goldens.row("lip/mask64_1_u8", mask, "float32")
    yield goldens.row("lip/mask64_1_flipped_u8", mask[:, ::-1], "float32")
    yield goldens.row("sched/alphas_cumprod", alpha_bars().numpy(), "float32")
    for timestep in (999, 519, 39):
        stepped = ddim.step(given("sched_x", 1, 4, 2, 4, 4), given("sched_v", 1, 4, 2, 4, 4), timestep, 25)
        yield goldens.row(f"sched/step25_t{timestep}", stepped.numpy(), "float32")
    clean, noise, times = given("sched_x0", 3, 4, 2, 4, 4), given("sched_n", 3, 4, 2, 4, 4), torch.tensor([0, 500, 999])
    yield goldens.row("sched/add_noise_t0_500_999", add_noise(clean, noise, times).numpy(), "float32")
    yield goldens.row("sched/velocity_t0_500_999", velocity(clean, noise, times).numpy(), "float32")
    scheduler = facts["scheduler"]
    yield Row("timesteps", 0.0, float(any(ddim.timesteps(int(steps)) != wanted for steps, wanted in scheduler["timesteps"].items())))
    weights = min_snr_weight(torch.tensor([int(t) for t in scheduler["min_snr_weight"]])).tolist()
    yield Row("min-SNR weights", 1e-6, largest(abs(a - b) for a, b in zip(weights, scheduler["min_snr_weight"].values())))
    yield Row("context windows", 0.0, float(any(windows(int(n)) != wanted for n, wanted in facts["context_windows"].items())))
    lengths = [line for line in facts["lengths"] if line["windows"]]
    yield Row("video lengths", 0.0, float(any(video_length(line["duration"], line["fps_arg"]) != (line["length"], line["output_fps"]) for line in lengths)))
    yield Row("noise of seed 42", 0.0, float(initial_noise((1, 4, 2, 4, 4), 42).flatten()[:6].tolist() != facts["seed42_noise_first6"]["fp32"]))


def generation_rows(goldens: Goldens) -> Iterator[Row]:
    """Retargeting and the median filter."""
    reference, sequence = goldens.arrays["retarget/reference"], goldens.arrays["retarget/sequence31"]
    driving = retargeting.resampled(sequence, 44)
    yield _within_px(goldens, "retarget/resampled_31to44", driving)
    yield _within_px(goldens, "retarget/truncated_31to20", retargeting.resampled(sequence, 20))
    for as_released, name in ((True, "upstream"), (False, "argmin")):
        yield _within_px(goldens, f"retarget/naive_{name}", retargeting.retargeted("naive_retarget", reference, sequence, 44, as_released=as_released))
        chosen = driving[retargeting.alike(reference, driving, as_released=as_released)]
        moved = retargeting.moved_by_half(reference, driving * retargeting.scales(reference, chosen), mirrored=True)
        yield _within_px(goldens, f"retarget/offset_{name}", moved)
    video = torch.clamp(0.25 * given("median_video", 3, 5, 10, 12) + 0.5, 0, 1)
    yield goldens.row("post/median", torch.stack(list(smoothed(video.unbind(1))), dim=1).numpy(), "float32")
    cut = torch.stack(list(smoothed((video * 255).to(torch.uint8).unbind(1)))).permute(0, 2, 3, 1)
    yield goldens.row("post/uint8", cut.numpy(), "float32")
    windowed = {frames: anchored_windows(int(frames)) for frames, wanted in goldens.facts["context_windows"].items() if _fits(wanted)}
    yield Row("anchored windows", 0.0, float(any(goldens.facts["context_windows"][frames] != found for frames, found in windowed.items())))


def _within_px(goldens: Goldens, name: str, found: np.ndarray) -> Row:
    return goldens.row(name, found, "float32")._replace(tolerance=goldens.facts["arrays"][name]["abs_tol"])


def _fits(wanted: list[list[int]]) -> bool:
    return all(len(set(window)) == len(window) for window in wanted)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=goldens_folder())
    parser.add_argument("--dtypes", default="float64,float32")
    arguments = parser.parse_args()
    goldens = Goldens(arguments.folder)
    worst = 0.0
    for dtype in arguments.dtypes.split(","):
        for produced in (network_rows(goldens, dtype), training_rows(goldens, dtype, False), training_rows(goldens, dtype, True)):
            worst = max(worst, _print(produced, dtype))
    worst = max(worst, _print(plain_rows(goldens), "-"), _print(generation_rows(goldens), "-"))
    print(f"largest share of a tolerance: {worst:.2f}")
    sys.exit(worst > 1.0)


def _print(rows: Iterator[Row], dtype: str) -> float:
    worst = 0.0
    for row in rows:
        share = largest([row.deviation / row.tolerance if row.tolerance else math.inf if row.deviation else 0.0])
        worst = max(worst, share)
        print(f"{dtype:8s} {row.case:64s} {row.tolerance:9.1e} {row.deviation:9.1e} {'ok' if share <= 1.0 else 'OUT OF TOLERANCE'}", flush=True)
    return worst


def _relative(found: float, wanted: float) -> float:
    return abs(found / wanted - 1) if wanted else abs(found)


if __name__ == "__main__":
    main()
