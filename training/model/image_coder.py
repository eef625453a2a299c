"""From pictures to latents and back: the frozen VAE, sd-vae-ft-mse (vexpress.md §0, §8, §11.1 step 1)."""

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from schemas.errors import MissingError, VerificationError
from udfs.network_form import built_for

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

SCALE = 0.18215
SIDE_RATIO = 8
"""Pixels for one latent, in each direction."""
WEIGHTS = "sd-vae-ft-mse"
SMOKE_SEED = 20240524
PICTURES_AT_ONCE = 8
_FILES = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
_OLD_NAMES = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""How the published file calls the attention of the middle block."""
_FULL: dict[str, Any] = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "sample_size": 256,
}
_SMOKE: dict[str, Any] = _FULL | {"block_out_channels": (8, 8, 16, 16), "layers_per_block": 1, "norm_num_groups": 4, "sample_size": 128}


class ImageCoder:
    """The VAE on one device. Nothing here is trained; all calls run without gradients, a few pictures at a time."""

    def __init__(self, network: "AutoencoderKL", fingerprint: str) -> None:
        self._network = network.eval().requires_grad_(False)
        self.fingerprint = fingerprint

    @classmethod
    def load(
        cls, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32, smoke: bool = False, path: str | os.PathLike[str] | None = None
    ) -> "ImageCoder":
        """The published VAE from the weights folder, or from `path`: a file, or a folder with one in the published layout.

        `smoke`: a tiny network of the same form with random weights, the same on every machine; its fingerprint begins with `random:`.
        Raises `MissingError` where the weights are not there and `VerificationError` where they do not fit.
        """
        from diffusers import AutoencoderKL

        if smoke:
            network = AutoencoderKL(**_SMOKE)
            _fill_at_random(network)
            return cls(_moved(network, device, dtype), f"random:{WEIGHTS}-smoke-v1")
        file = _published(path)
        network = built_for(file, lambda said: AutoencoderKL(**_form(said)))
        _fill(network, file)
        return cls(_moved(network, device, dtype), f"{WEIGHTS}-{_digest(file)[:16]}")

    @torch.no_grad()
    def moments(self, images: Tensor) -> Tensor:
        """(n, 3, H, W) in -1..1, sides multiples of 64 -> (n, 8, H/8, W/8): mean and log-variance of the latents, not yet scaled."""
        return self._in_parts(images, lambda part: self._network.quant_conv(self._network.encoder(part)))

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Scaled latents (n, 4, h, w) -> pictures (n, 3, 8 h, 8 w) in 0..1, in the dtype of the network."""
        return self._in_parts(latents / SCALE, lambda part: self._network.decode(part).sample / 2 + 0.5).clamp(0, 1)

    def _in_parts(self, pictures: Tensor, run: Any) -> Tensor:
        weight = self._network.quant_conv.weight
        return torch.cat([run(part.to(weight.device, weight.dtype)) for part in pictures.split(PICTURES_AT_ONCE)])


def mean_latents(moments: Tensor) -> Tensor:
    """Moments (n, 8, ...) -> scaled latents (n, 4, ...) without noise, as generation uses them."""
    return moments.chunk(2, dim=1)[0] * SCALE


def sampled_latents(moments: Tensor, noise: Tensor) -> Tensor:
    """Moments (n, 8, ...) and standard normal noise (n, 4, ...) -> scaled latents (n, 4, ...) drawn from the posterior, as training uses them."""
    mean, log_variance = moments.chunk(2, dim=1)
    return (mean + (0.5 * log_variance.clamp(-30.0, 20.0)).exp() * noise) * SCALE


def _published(path: str | os.PathLike[str] | None) -> Path:
    """The file with the weights."""
    if path is None:
        from udfs import weights

        return weights.path(WEIGHTS)
    place = Path(path)
    file = place if place.is_file() else next((place / name for name in _FILES if (place / name).is_file()), None)
    if file is None:
        raise MissingError(f"{place} holds no VAE: neither {_FILES[0]} nor {_FILES[1]}")
    return file


def _form(said: dict[str, Any]) -> dict[str, Any]:
    """What the network is built with: the published form, but for what a `config.json` says; its unknown entries are passed over."""
    known = {key: value for key, value in said.items() if key in (*_FULL, "norm_num_groups", "latent_channels", "act_fn")}
    return _FULL | {key: tuple(value) if isinstance(value, list) else value for key, value in known.items()}


def _fill(network: "AutoencoderKL", file: Path) -> None:
    from training.model.official import differences, read

    wanted = network.state_dict()
    state = {_new_name(key): tensor for key, tensor in read(file).items()}
    state = {key: tensor.reshape(wanted[key].shape) if key in wanted and tensor.numel() == wanted[key].numel() else tensor for key, tensor in state.items()}
    wrong = differences(state, wanted)
    if wrong:
        raise VerificationError(f"{file} is not the VAE {WEIGHTS}: {'; '.join(wrong[:3])}")
    network.load_state_dict(state, strict=True)


def _new_name(key: str) -> str:
    head, _, last = key.rpartition(".")
    place, _, name = head.rpartition(".")
    return f"{place}.{_OLD_NAMES[name]}.{last}" if ".attentions." in key and name in _OLD_NAMES else key


def _fill_at_random(network: "AutoencoderKL") -> None:
    """Weights from one seed, whatever the library's own initialisation; latents come out with a spread of about 1 after scaling, as the published ones do."""
    generator = torch.Generator().manual_seed(SMOKE_SEED)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            drawn = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim > 1:
                parameter.copy_(drawn / parameter[0].numel() ** 0.5)
            else:
                parameter.copy_(0.05 * drawn + (1.0 if "norm" in name and name.endswith("weight") else 0.0))
        network.quant_conv.weight[:4] *= 2.5 / SCALE
        network.quant_conv.weight[4:] *= 0.1
        network.quant_conv.bias[4:] = -4.0


def _moved(network: "AutoencoderKL", device: str | torch.device, dtype: torch.dtype) -> "AutoencoderKL":
    return torch.nn.Module.to(network, device, dtype)  # the library's own `to` warns about a list that is empty here


def _digest(file: Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
