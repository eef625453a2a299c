"""All networks that make a video: the four trained ones and the three frozen ones beside them."""

import gc
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from schemas.errors import UsageError
from training.exported import Exported, find
from training.model import official
from training.model.config import FULL
from training.model.denoising_unet import DenoisingUNet
from training.model.image_coder import ImageCoder
from training.model.vexpress import VExpress
from udfs import speech_features, weights
from udfs.faces.choose import face_backend, resolved
from udfs.fingerprint import fingerprint
from udfs.scorer import Device

if TYPE_CHECKING:
    from udfs.faces.backend import FaceBackend

VERSION = 3
"""Raised when the same inputs give other frames."""
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
FACE_SIDE_PX, FACE_THRESHOLD = 640, 0.5
VAE, WAV2VEC2 = "sd-vae-ft-mse", "wav2vec2-base-960h"
SMOKE_SIDE_PX, FULL_SIDE_PX = 128, 512


@dataclass(frozen=True)
class Checkpoint:
    """A trained model, and where its frozen networks come from: folders beside it as released, else the weights folder."""

    exported: Exported

    @classmethod
    def at(cls, path: str | Path) -> "Checkpoint":
        """Raises `MissingError` where there is no model."""
        return cls(find(path))

    @property
    def side_px(self) -> int:
        """Side of the pictures that the model was made for."""
        return FULL_SIDE_PX if self.exported.config == FULL else SMOKE_SIDE_PX

    def beside(self, name: str) -> Path | None:
        """A released folder of frozen weights near the model; one that holds no weights counts for nothing."""
        places = (self.exported.folder / name, self.exported.folder.parent / name)
        return next((place for place in places if _weight_files(place)), None)

    def fingerprint(self) -> str:
        """Of everything that shapes frames besides inputs and options; begins with `random:` where weights are. Raises `MissingError` for weights
        that are not there."""
        parts = {"vexpress": self.exported.fingerprint}
        if self.exported.random:
            parts |= {VAE: "random:smoke", WAV2VEC2: "random:smoke"}
        else:
            parts |= {name: _digest(self.beside(name)) or weights.sha256(name) for name in (VAE, WAV2VEC2)}
        faces = resolved("auto")
        parts |= {name: weights.sha256(name) for name in face_backend(faces, FACE_SIDE_PX, FACE_THRESHOLD).weights}
        return fingerprint("generate", VERSION, {"faces": faces}, parts)


def _weight_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix in (".bin", ".safetensors")) if folder.is_dir() else []


def _digest(folder: Path | None) -> str | None:
    """Hash over the bytes of a folder's weight files."""
    if folder is None:
        return None
    whole = hashlib.sha256()
    for file in _weight_files(folder):
        with open(file, "rb") as stream:
            whole.update(f"{file.name}={hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()


class Networks:
    """Loaded once. `devices` are where windows are denoised side by side; the first one does everything else.

    With `sparing` the large networks are on the GPU only while they are at work and wait in the computer's memory otherwise.
    """

    def __init__(self, checkpoint: Checkpoint, devices: Sequence[Device], dtype: str, sparing: bool = False) -> None:
        if dtype not in DTYPES:
            raise UsageError(f"there is no dtype {dtype!r}; choose one of {', '.join(DTYPES)}")
        self.checkpoint, self.sparing, self.dtype = checkpoint, sparing, dtype
        self.devices = [torch.device(device.torch_name) for device in devices]
        exported, kind = checkpoint.exported, DTYPES[dtype]
        self.coder = ImageCoder.load(self.device, kind, smoke=exported.random, path=None if exported.random else checkpoint.beside(VAE))
        own_speech = None if exported.random else checkpoint.beside(WAV2VEC2)
        self.speech = speech_features.SpeechEncoder.load(devices[0].in_float32(), smoke=exported.random, path=own_speech)
        resting = "cpu" if sparing else str(self.device)
        self.model: VExpress = official.opened(exported.folder, dtype=kind, device=resting, config=exported.config).eval().requires_grad_(False)
        self.model.v_kps_guider.to(self.device)
        self.faces: FaceBackend = face_backend(resolved("auto"), FACE_SIDE_PX, FACE_THRESHOLD)
        self.faces.setup(devices[0].as_cpu())
        self._copies = [self._copied(device) for device in self.devices[1:]]

    @property
    def device(self) -> torch.device:
        """Where everything but extra windows is computed."""
        return self.devices[0]

    @property
    def unets(self) -> list[DenoisingUNet]:
        """One for each device."""
        return [self.model.denoising_unet, *self._copies]

    def roomy(self, least_bytes: int) -> bool:
        """True on GPUs with at least so much memory, unless memory is to be spared."""
        gpus = [device for device in self.devices if device.type == "cuda"]
        return len(gpus) > 0 and not self.sparing and all(torch.cuda.get_device_properties(gpu).total_memory >= least_bytes for gpu in gpus)

    @contextmanager
    def at_work(self, network: nn.Module) -> Iterator[None]:
        """The network is on the device inside."""
        if not self.sparing:
            yield
            return
        network.to(self.device)
        try:
            yield
        finally:
            network.to("cpu")
            gc.collect()
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def _copied(self, device: torch.device) -> DenoisingUNet:
        with torch.device("meta"):
            copy = DenoisingUNet(self.checkpoint.exported.config.unet)
        copy = copy.to(DTYPES[self.dtype]).to_empty(device=device)
        copy.load_state_dict(self.model.denoising_unet.state_dict())
        return copy.eval().requires_grad_(False)
