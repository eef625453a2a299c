"""Training steps at full size on a GPU: `python -m benchmarks.train_gpu [--cached] [--steps 20]`. Without one it says so and runs the tiny model.

Needs torch alone (and diffusers, unless --cached: the VAE is part of a step then). Weights are random, inputs too: neither changes the time of a step.
The floor is the arithmetic of vexpress.md §13 at 400 TFLOP/s. A size of GPU fits when it holds what torch reserves and CUDA's context.
"""

import argparse
import importlib.util
import sys
import time
from dataclasses import replace

import torch

from benchmarks import gpu_memory
from benchmarks.table import show
from training.batch import Batch, SampleKey
from training.core_step import DTYPES
from training.engine import PlainEngine
from training.model.image_coder import ImageCoder
from training.model.parameter_groups import freeze_all_but
from training.model.vexpress import VExpress
from training.processes import Processes
from training.stages import STAGES, Settings, read
from training.trainer import Trainer

FLOOR_IT_S = {False: {1: 6.24, 2: 3.76, 3: 9.24}, True: {1: 8.6, 2: 4.8, 3: 12.0}}
"""Steps a second at 400 TFLOP/s: with the VAE in the step, and with cached latents."""
SIZES_GB = (24, 40, 80)
WARM_UP = 3


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cached", action="store_true", help="latents are cached")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--stages", type=int, nargs="+", default=STAGES)
    arguments = parser.parse_args()
    if not arguments.cached and importlib.util.find_spec("diffusers") is None:
        sys.exit("the VAE is part of a step and needs diffusers, which is not installed here: bring its wheel along and install it, or give --cached")
    gpu = torch.cuda.is_available()
    if not gpu:
        print("there is no CUDA device here: this is the tiny model on the CPU, which says nothing of the real one")
    rows = [_stage(stage, gpu, arguments.cached, arguments.steps if gpu else 3) for stage in arguments.stages]
    machine = torch.cuda.get_device_name() if gpu else "CPU, tiny model"
    headings = ("stage", "frames x batch", "it/s", "of the floor", "peak GiB", "GB needed", "fits GB", "loss")
    show(f"Training steps, {machine}, torch {torch.__version__}, {'cached latents' if arguments.cached else 'with the VAE'}", headings, rows)


def _stage(stage: int, gpu: bool, cached: bool, steps: int) -> tuple[object, ...]:
    settings = read(stage, None, {"engine": "plain", "start": "random"}, smoke=not gpu)
    processes = Processes(device=torch.device("cuda" if gpu else "cpu"))
    if gpu:
        torch.backends.cuda.matmul.allow_tf32 = True
        gpu_memory.begin()
    torch.manual_seed(0)
    dtype = DTYPES[settings.precision]
    with processes.device:
        model = VExpress(settings.model_config).to(dtype)
    model.use_checkpointing(denoising_unet=settings.checkpointing)
    coder = None if cached else _full_size_coder() if gpu else ImageCoder.load(smoke=True)
    trainer = Trainer(settings, model, PlainEngine(model, freeze_all_but(model, stage), settings, processes), lambda: coder, processes)
    batch = _batch(settings, cached)
    inputs = trainer.prepared(batch)
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            _wait(gpu)
            started = time.perf_counter()
        report = trainer.step(inputs)
        inputs = trainer.prepared(replace(batch, step=step + 1))  # while the GPU works, as `training.trainer.Run` does
        loss = float(report.loss)
    _wait(gpu)
    rate = steps / (time.perf_counter() - started)
    peak, needed = (torch.cuda.max_memory_allocated(), gpu_memory.needed_bytes()) if gpu else (float("nan"), float("nan"))
    fits = ", ".join(str(size) for size in SIZES_GB if gpu_memory.fits(needed, size)) or "-"
    share = f"{100 * rate / FLOOR_IT_S[cached][stage]:.0f} %" if gpu else "-"
    return stage, f"{settings.frames} x {settings.batch_per_rank}", f"{rate:.2f}", share, f"{peak / 2**30:.1f}", f"{needed / 1e9:.1f}", fits, f"{loss:.3f}"


def _full_size_coder() -> ImageCoder:
    """The VAE at its real size with random weights: its time is that of the real one."""
    from diffusers import AutoencoderKL

    from training.model import image_coder

    network = AutoencoderKL(**image_coder._FULL).to("cuda", torch.float16)
    return ImageCoder(network, "random:benchmark")


def _batch(settings: Settings, cached: bool) -> Batch:
    samples, frames, side = settings.batch_per_rank, settings.frames, settings.image_px
    keys = [SampleKey("random", 0, index, 0, 0, False) for index in range(samples)]
    pictures = {"targets": torch.rand(samples, 3, frames, side, side) * 2 - 1, "references": torch.rand(samples, 3, side, side) * 2 - 1}
    moments = {
        "target_moments": torch.randn(samples, 8, frames, side // 8, side // 8),
        "reference_moments": torch.randn(samples, 8, side // 8, side // 8),
    }
    given = {**dict.fromkeys((*pictures, *moments)), **(moments if cached else pictures)}
    others = {"kps_images": torch.rand(samples, 3, frames, side, side), "audio_windows": torch.randn(samples, frames, 10, 768)}
    return Batch(0, keys, **given, **others, lip_masks=torch.rand(samples, 1, frames, side // 8, side // 8))


def _wait(gpu: bool) -> None:
    if gpu:
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
