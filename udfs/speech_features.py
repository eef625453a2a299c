"""What is said, as the talking-head model hears it: the last hidden state of wav2vec2-base-960h (vexpress.md §7.1, §7.2)."""

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from schemas.errors import MissingError, VerificationError
from udfs import checkpoint, weights
from udfs.nets.threads import one_torch_thread
from udfs.network_form import built_for
from udfs.scorer import Device

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import Wav2Vec2Config, Wav2Vec2Model

WEIGHTS = "wav2vec2-base-960h"
WIDTH = 768
SMOKE_SEED = 20240524
VERSION = 2
"""Raised when the same sound gives other numbers."""

LEAST_SAMPLES = 400
"""What the first row hears; shorter sound is taken for one that goes on in silence."""

_VARIANCE_FLOOR = 1e-7
_FILES = ("model.safetensors", "pytorch_model.bin")
_LAYERS = ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2))
"""Kernel and stride of the convolutions that turn sound into rows."""

_HEAD = "lm_head."
_PREFIX = "wav2vec2."
_OLD_NAMES = {".weight_g": ".parametrizations.weight.original0", ".weight_v": ".parametrizations.weight.original1"}
"""How the published file calls the two factors of the position convolution's weight."""
_UNUSED = "masked_spec_embed"
_SMOKE: dict[str, Any] = {
    "hidden_size": WIDTH,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "intermediate_size": 32,
    "conv_dim": (16,) * len(_LAYERS),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 16,
}


class SpeechEncoder:
    """wav2vec2 on one device, in float32. `width` is that of a row; `fingerprint` names the weights, `random:` first where they are."""

    width = WIDTH

    def __init__(self, network: "Wav2Vec2Model", device: Device, fingerprint: str) -> None:
        from udfs.speech_convolutions import InParts

        self._network = network.eval().requires_grad_(False)
        self._network.feature_extractor = InParts(self._network.feature_extractor)
        self._network.to(device.torch_name)
        self._device = device
        self.fingerprint = fingerprint

    @classmethod
    def load(cls, device: Device, smoke: bool = False, path: str | os.PathLike[str] | None = None) -> "SpeechEncoder":
        """The published network from the weights folder, or from `path`: one such file, or a folder with `model.safetensors` or
        `pytorch_model.bin` (and `config.json`).

        `smoke`: a tiny network of the same form and width with random weights, the same on every machine.
        Raises `MissingError` where the weights are not there and `VerificationError` where they do not fit.
        """
        from transformers import Wav2Vec2Config

        if smoke:
            return cls(_random(Wav2Vec2Config(**_SMOKE)), device, fingerprint(smoke=True))
        file = _published(path)
        network = built_for(file, lambda said: _unfilled(Wav2Vec2Config(**said)))
        return cls(_filled(network, file), device, _named(_digest(file)))

    def encode(self, audio_16k: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mono sound (n,) at 16 kHz -> (`rows_of(n)`, 768), about 50 rows a second: the whole sound in one pass, brought to mean 0 and variance 1."""
        import torch

        sound = np.zeros(max(len(audio_16k), LEAST_SAMPLES), np.float32)
        sound[: len(audio_16k)] = audio_16k
        level = (sound - sound.mean()) / np.sqrt(sound.var() + _VARIANCE_FLOOR)
        with torch.inference_mode(), one_torch_thread():
            rows = self._network(torch.from_numpy(level)[None].to(self._device.torch_name)).last_hidden_state[0]
        return rows.float().cpu().numpy()


def rows_of(samples: int) -> int:
    """How many rows so many samples give: 49 for 1 s, 249 for 5 s."""
    rows = max(samples, LEAST_SAMPLES)
    for kernel, stride in _LAYERS:
        rows = (rows - kernel) // stride + 1
    return rows


def fingerprint(*, smoke: bool) -> str:
    """What `SpeechEncoder.load` will answer to, without loading it. Raises as `udfs.weights.path` does."""
    return f"random:{WEIGHTS}-smoke-v{VERSION}" if smoke else _named(weights.sha256(WEIGHTS))


def _named(digest: str) -> str:
    return f"{WEIGHTS}-v{VERSION}-{digest[:16]}"


def _published(path: str | os.PathLike[str] | None) -> Path:
    if path is None:
        return weights.path(WEIGHTS)
    place = Path(path)
    file = place if place.is_file() else next((place / name for name in _FILES if (place / name).is_file()), None)
    if file is None:
        raise MissingError(f"{place} holds no {WEIGHTS}: neither {' nor '.join(_FILES)}")
    return file


def _unfilled(config: "Wav2Vec2Config") -> "Wav2Vec2Model":
    """The network on the meta device."""
    import torch
    from transformers import Wav2Vec2Model

    with torch.device("meta"):
        return Wav2Vec2Model(config)


def _filled(network: "Wav2Vec2Model", file: Path) -> "Wav2Vec2Model":
    """The network with a file's weights; those of the head that spells are passed over."""
    import torch

    config, wanted = network.config, network.state_dict()
    state = {_new_name(key): tensor.float() for key, tensor in checkpoint.tensors(file).items() if not key.startswith(_HEAD)}
    state = {_UNUSED: torch.zeros(config.hidden_size)} | state
    wrong = [f"{key} is missing" for key in wanted.keys() - state.keys()] + [f"{key} is unknown" for key in state.keys() - wanted.keys()]
    wrong += [
        f"{key} is {tuple(state[key].shape)}, not {tuple(wanted[key].shape)}" for key in state.keys() & wanted.keys() if state[key].shape != wanted[key].shape
    ]
    wrong += [f"its rows are {config.hidden_size} wide, not {WIDTH}"] if config.hidden_size != WIDTH else []
    if wrong:
        raise VerificationError(f"{file} is not {WEIGHTS}: {'; '.join(sorted(wrong)[:3])}")
    network.load_state_dict(state, strict=True, assign=True)
    return network


def _new_name(key: str) -> str:
    name = key.removeprefix(_PREFIX)
    for old, new in _OLD_NAMES.items():
        name = name.removesuffix(old) + new if name.endswith(old) else name
    return name


def _random(config: "Wav2Vec2Config") -> "Wav2Vec2Model":
    """Weights from one seed, whatever the library's own initialisation."""
    import torch
    from transformers import Wav2Vec2Model

    network = Wav2Vec2Model(config)
    generator = torch.Generator().manual_seed(SMOKE_SEED)
    with torch.no_grad():
        for name, parameter in sorted(network.named_parameters()):
            parameter.copy_(_drawn(name, parameter, generator))
    return network


def _drawn(name: str, parameter: "Tensor", generator: Any) -> "Tensor":
    import torch

    drawn = torch.randn(parameter.shape, generator=generator)
    if parameter.ndim > 1:
        return drawn / max(1, parameter[0].numel()) ** 0.5
    return 0.05 * drawn + (1.0 if "norm" in name and name.endswith("weight") else 0.0)


def _digest(file: Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
