"""How fast a GPU makes frames at full size with random weights: `python -m benchmarks.generate_gpu [--seconds 4] [--fps 25] [--dtype bf16]`.

Needs CUDA; says so and stops where there is none. Every row makes latents of a 512x512 video of so many seconds and decodes them: frames per second of
wall time, once through before it counts. The floor is what as many multiply-adds take at the rate of a plain bfloat16 matrix product here
(vexpress.md §13: 1,277.6 GFLOP for a frame and pass of the UNet, 2,514.5 for a decoded frame). Where diffusers is not installed, decoding is left out,
the table says so and it exits 1, as it does when what spares memory needs more than 12 GB of it: what torch reserves, wav2vec2 in float32 among it,
and CUDA's context.
"""

import argparse
import importlib.util
import sys
import time

import numpy as np
import torch

from benchmarks import gpu_memory
from benchmarks.limits import judged
from benchmarks.table import show
from inference.generator import DECODED_AT_ONCE, KEPT_FEATURE_BYTES
from inference.median import smoothed
from inference.video_conditions import VideoConditions
from training.model.conditions import Conditions
from training.model.config import FULL
from training.model.context_windows import anchored_windows
from training.model.sampling import Guided, initial_noise, sampled, with_reference_keys
from training.model.vexpress import VExpress

SIDE_PX = 512
UNET_GFLOP, DECODE_GFLOP = 1277.6, 2514.5
SPARING_GB = 12
SPEECH_PARAMETERS = 94_371_712
"""Of wav2vec2-base, which stays on the GPU all the time."""
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
CASES = ((25, 3.5, False), (25, 3.5, True), (25, 1.0, False), (8, 1.0, False), (4, 1.0, False))
"""Steps, guidance, sparing memory."""


def random_model(dtype: torch.dtype) -> VExpress:
    """Full size, on the GPU, weights drawn there."""
    torch.manual_seed(0)
    with torch.device("meta"):
        model = VExpress(FULL)
    model = model.to(dtype).to_empty(device="cuda")
    for name, tensor in model.state_dict().items():
        if name.endswith(".pe"):
            tensor.normal_(0, 0.7)
        else:
            tensor.normal_(0, tensor[0].numel() ** -0.5) if tensor.ndim > 1 else tensor.fill_(1.0 if name.endswith("weight") else 0.0)
    return model.eval().requires_grad_(False)


class Bench:
    """The full model with inputs for a video."""

    def __init__(self, frames: int, dtype: torch.dtype) -> None:
        self.frames, self.dtype = frames, dtype
        self.model = random_model(dtype)
        self.speech = torch.empty(SPEECH_PARAMETERS, dtype=torch.float32, device="cuda")
        self.coder = None
        if importlib.util.find_spec("diffusers") is not None:
            from diffusers import AutoencoderKL

            from training.model.image_coder import _FULL, ImageCoder

            self.coder = ImageCoder(AutoencoderKL(**_FULL).to("cuda", dtype), "random:")
        self.windows = anchored_windows(frames)
        turn = np.linspace(0, 6.28, frames, dtype=np.float32)[:, None]
        face = np.array([[[190, 210], [304, 208], [248, 270]]], np.float32)
        self.points = face + 8 * np.stack([np.cos(turn), np.sin(turn)], axis=-1)

    @torch.no_grad()
    def make(self, steps: int, guidance: float, sparing: bool) -> None:
        """Latents and, where there is a VAE, bytes of all frames."""
        model = self.model
        if sparing:
            model.denoising_unet.to("cpu")
            torch.cuda.empty_cache()
        else:
            model.denoising_unet.to("cuda")
        model.audio_projection.to("cpu" if sparing else "cuda")
        model.reference_net.to("cuda")
        banks = model.reference_net(torch.randn(1, 4, SIDE_PX // 8, SIDE_PX // 8, device="cuda"))
        if sparing:
            model.reference_net.to("cpu")
            model.denoising_unet.to("cuda")
            torch.cuda.empty_cache()
        same = with_reference_keys(model.denoising_unet, Conditions(reference=banks, reference_weight=0.95, audio_weight=3.0))
        tokens = torch.randn(1, self.frames, 5, 768, dtype=self.dtype)
        of_video = VideoConditions(model.v_kps_guider, same, self.points, tokens, SIDE_PX, SIDE_PX, 0 if sparing else KEPT_FEATURE_BYTES["cuda"])
        guided = Guided(model.denoising_unet, of_video, guidance, together=not sparing)
        latents = initial_noise((1, 4, self.frames, SIDE_PX // 8, SIDE_PX // 8), 42)
        for _ in sampled([guided], latents, steps, self.windows):  # in place
            pass
        if sparing:
            model.denoising_unet.to("cpu")
            torch.cuda.empty_cache()
        if self.coder is not None:
            for _ in smoothed(self._decoded(latents, 1 if sparing else DECODED_AT_ONCE["cuda"])):
                pass
        torch.cuda.synchronize()

    def _decoded(self, latents: torch.Tensor, at_once: int):  # noqa: ANN202 - a generator of tensors
        for part in latents[0].transpose(0, 1).split(at_once):
            yield from (self.coder.decode(part).float() * 255).to(torch.uint8)

    def floor_s(self, steps: int, guidance: float, tera: float) -> float:
        """Seconds that the arithmetic alone takes at `tera` TFLOP/s."""
        passes = steps * (2 if guidance > 1 else 1) * sum(map(len, self.windows))
        return (passes * UNET_GFLOP + (self.frames * DECODE_GFLOP if self.coder else 0)) / 1000 / tera


def tera_flops(side: int = 8192, repeats: int = 20) -> float:
    """TFLOP/s of a plain bfloat16 product."""
    a = torch.randn(side, side, device="cuda", dtype=torch.bfloat16)
    for _ in range(3):
        a @ a
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(repeats):
        a @ a
    torch.cuda.synchronize()
    return 2 * side**3 * repeats / (time.perf_counter() - started) / 1e12


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--fps", type=float, default=25.0)
    parser.add_argument("--dtype", choices=tuple(DTYPES), default="bf16")
    args = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("there is no CUDA device here: this benchmark needs a GPU with 24 GB or more; nothing was measured")
    bench, tera = Bench(round(args.seconds * args.fps), DTYPES[args.dtype]), tera_flops()
    print(torch.cuda.get_device_name(), torch.__version__, f"bfloat16 product {tera:.0f} TFLOP/s", "" if bench.coder else "no diffusers: nothing is decoded")
    rows, sparing_bytes = [], 0
    for steps, guidance, sparing in CASES:
        bench.make(1, guidance, sparing)
        gpu_memory.begin()
        started = time.perf_counter()
        bench.make(steps, guidance, sparing)
        took = time.perf_counter() - started
        peak, needed = torch.cuda.max_memory_allocated(), gpu_memory.needed_bytes()
        sparing_bytes = max(sparing_bytes, needed) if sparing else sparing_bytes
        floor = bench.floor_s(steps, guidance, tera)
        row = (
            steps,
            guidance,
            "yes" if sparing else "no",
            f"{bench.frames / took:.2f}",
            f"{bench.frames / floor:.2f}",
            f"{100 * floor / took:.0f} %",
            f"{peak / 2**30:.1f}",
            f"{torch.cuda.max_memory_reserved() / 2**30:.1f}",
            f"{needed / 1e9:.1f}",
        )
        rows.append(row)
        print(*row, flush=True)
    headings = ("steps", "guidance", "save_gpu_memory", "frames/s", "floor, frames/s", "of the floor", "peak GiB", "reserved GiB", "GB needed")
    show(f"Generating {bench.frames} frames of {SIDE_PX}x{SIDE_PX}, {args.dtype}", headings, rows)
    if bench.coder is None:
        sys.exit("the memory that is spared was not judged: without diffusers no VAE is on the GPU")
    judged({f"save_gpu_memory within {SPARING_GB} GB": gpu_memory.fits(sparing_bytes, SPARING_GB)})


if __name__ == "__main__":
    main()
