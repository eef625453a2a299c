"""Peak memory of generating long videos at 512x512: `python -m benchmarks.generate_memory [--seconds 10,30,60] [--fps 25] [--unet]`.

All networks are tiny and random, so what is measured is what grows with the video: frames, latents, sound. The denoising UNet, which sees 24 frames
whatever the length and takes most of the time, is stood in for by zeros unless `--unet`. Each length is a fresh process; "beyond the model" is its
peak less what it held when the model was loaded. The second table is what networks of real size add, which does not depend on the length either: one
decoded frame, and one pass over a minute of sound, the longest there is. Exits 1 when the longest video and all that it adds take 3 GiB or more, or
memory grows by more than 1.5 MiB for a second of sound (of pictures kept as bytes a second would take 19).
"""

import argparse
import contextlib
import gc
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from benchmarks.limits import judged
from benchmarks.table import show

MIB = 1 << 20
SIDE_PX = 512
MOST_MIB, MOST_MIB_A_SECOND = 3 * 1024, 1.5


def peak_mib() -> float:
    """Most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB


def held_mib() -> float:
    """Memory that it holds now."""
    return psutil.Process().memory_info().rss / MIB


class EncoderMemory:
    """Looks, a few times a second, at how much the ffmpeg below this process holds."""

    def __init__(self) -> None:
        self.peak_mib = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "EncoderMemory":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.2):
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if child.name() == "ffmpeg":
                        self.peak_mib = max(self.peak_mib, child.memory_info().rss / MIB)


def measure(folder: Path, seconds: float, fps: float, unet: bool) -> None:
    """Body of a fresh process: make one video and print what it took."""
    import torch

    from inference import TalkVidInference
    from tests.inference.inputs import tone

    maker = TalkVidInference(folder / "trained", "cpu")
    sound = tone(folder / f"{seconds:g}.wav", seconds)
    gc.collect()
    before = held_mib()
    started = time.monotonic()
    if not unet:
        maker.networks.model.denoising_unet.forward = lambda latents, timesteps, conditions: torch.zeros_like(latents)
    options = {"num_inference_steps": 1, "fps": fps, "image_width": SIDE_PX, "image_height": SIDE_PX}
    with EncoderMemory() as encoder:
        made = maker.generate(folder / "portrait.png", sound, folder / "out.mp4", **options)
    print(made.frames, f"{before:.0f}", f"{peak_mib() - before:.0f}", f"{encoder.peak_mib:.0f}", f"{time.monotonic() - started:.0f}")


def measure_real(which: str) -> None:
    """Body of a fresh process: one call of a frozen network of real size with random weights."""
    import numpy as np
    import torch

    torch.set_num_threads(2)
    if which == "vae":
        from diffusers import AutoencoderKL

        from training.model.image_coder import _FULL, ImageCoder

        coder = ImageCoder(AutoencoderKL(**_FULL), "random:")
        before = held_mib()
        coder.decode(torch.zeros(1, 4, SIDE_PX // 8, SIDE_PX // 8))
    else:
        from transformers import Wav2Vec2Config, Wav2Vec2Model

        from inference.sound import WHOLE_S, heard
        from udfs.scorer import Device
        from udfs.speech_features import SpeechEncoder

        encoder = SpeechEncoder(Wav2Vec2Model(Wav2Vec2Config()), Device("cpu", 0, 2), "random:")
        before = held_mib()
        heard(encoder, np.random.default_rng(0).normal(0, 0.1, int(WHOLE_S * 16000)).astype(np.float32))
    print(f"{before:.0f}", f"{peak_mib() - before:.0f}")


def main() -> None:
    """Measure each length in its own process, print tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", default="10,30,60")
    parser.add_argument("--fps", type=float, default=25.0)
    parser.add_argument("--unet", action="store_true", help="with the tiny UNet: about a second a frame")
    parser.add_argument("--without-real", action="store_true", help="leave the second table out")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure_real(args.measure) if args.folder is None else measure(args.folder, float(args.measure), args.fps, args.unet)
        return
    from tests.inference.inputs import portrait_file, smoke_checkpoint

    itself = [sys.executable, "-m", "benchmarks.generate_memory", "--fps", str(args.fps), *(["--unet"] if args.unet else [])]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        smoke_checkpoint(Path(folder, "trained"))
        portrait_file(Path(folder, "portrait.png"))
        for seconds in args.seconds.split(","):
            said = subprocess.run([*itself, "--measure", seconds, "--folder", folder], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
            rows.append((seconds, *said))
    headings = ("sound, s", "frames", "model loaded, MiB", "beyond the model, MiB", "its ffmpeg, MiB", "took, s")
    show(f"Peak memory of generating at {SIDE_PX}x{SIDE_PX}, tiny networks, {'tiny UNet with guidance' if args.unet else 'no UNet'}", headings, rows)
    beyond = {float(seconds): float(its) for seconds, _, _, its, *_ in rows}
    first, last = min(beyond), max(beyond)
    most = max(float(its) + float(ffmpeg) for _, _, _, its, ffmpeg, _ in rows)
    if not args.without_real:
        calls = {"vae": "VAE, one frame of 512x512, float32", "wav2vec2": "wav2vec2-base, 60 s of sound, float32"}
        rows = [
            (what, *subprocess.run([*itself, "--measure", name], check=True, stdout=subprocess.PIPE, text=True).stdout.split()) for name, what in calls.items()
        ]
        show("What networks of real size add, whatever the length", ("call", "network loaded, MiB", "beyond it, MiB"), rows)
        most += sum(float(its) for *_, its in rows)
    flat = beyond[last] - beyond[first] <= MOST_MIB_A_SECOND * (last - first)
    judged({f"less than {MOST_MIB} MiB beyond the model": most < MOST_MIB, "memory flat": flat})


if __name__ == "__main__":
    main()
