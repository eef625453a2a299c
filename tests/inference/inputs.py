"""What tests generate from."""

import subprocess
from pathlib import Path

import torch

from training.exported import describe
from training.model import official
from training.model.config import SMOKE
from training.model.vexpress import VExpress
from udfs.footage.portrait import portrait

QUICK = {"num_inference_steps": 1, "image_width": 64, "image_height": 64, "fps": 10.0}
"""Options that make a video in a moment."""


def smoke_checkpoint(folder: Path) -> Path:
    """The output of a training with the tiny model, every weight random: what starts as zero would hide what is not passed on."""
    generator = torch.Generator().manual_seed(5)
    model = VExpress(SMOKE)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter.data, 0.0, parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.1, generator)
    official.save(model, folder / "stage_3" / "model")
    describe(folder / "stage_3" / "model", model="smoke", stage=3, step=1, random=True)
    return folder


def portrait_file(path: Path) -> Path:
    """The portrait of the sample footage as a picture file."""
    from PIL import Image

    Image.fromarray(portrait()).save(path)
    return path


def tone(path: Path, seconds: float, hertz: int = 300) -> Path:
    """A tone that swells, 22.05 kHz in stereo."""
    source = f"sine=frequency={hertz}:sample_rate=22050:duration={seconds},volume='0.2+0.5*t/{seconds}':eval=frame"
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source, "-ac", "2", str(path)], check=True)
    return path
