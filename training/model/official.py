"""Reading and writing checkpoints in the official form: five flat dicts of tensors (vexpress.md §1).

The key map, file -> module of `VExpress`:

| file | module | keys |
|---|---|---|
| `reference_net` | `reference_net` | the same; `conv_norm_out.*`, which other families' files have, is dropped |
| `denoising_unet` | `denoising_unet` | the same; motion keys may be absent |
| `motion_module` | `denoising_unet` | the same; read second, so it wins |
| `v_kps_guider` | `v_kps_guider` | the same |
| `audio_projection` | `audio_projection` | the same |

A file is `NAME.safetensors`, `NAME.bin` or `NAME.pth`, as trained also `NAME-STEP.pth`.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from schemas.errors import MissingError, UsageError, VerificationError
from training.model.config import FULL, ModelConfig
from training.model.vexpress import VExpress

FILES = ("reference_net", "denoising_unet", "motion_module", "v_kps_guider", "audio_projection")
_ENDINGS = (".safetensors", ".bin", ".pth")
_DROPPED = {"reference_net": ("conv_norm_out.weight", "conv_norm_out.bias")}


def load(model: VExpress, folder: str | os.PathLike[str], step: int | None = None) -> None:
    """Fill all networks from `folder`; `step` chooses among files of several steps, by default the last.

    Raises `MissingError` where a file is absent, `VerificationError` where one cannot be read, and `UsageError` where one lacks a key, has an unknown
    one or another shape.
    `motion_module` may be absent when `denoising_unet` has its keys.
    """
    places = {name: find(folder, name, step) for name in FILES}
    absent = [name for name, place in places.items() if place is None and name != "motion_module"]
    if absent:
        raise MissingError(f"{folder} has no {', no '.join(f'{name}.bin' for name in absent)}; a V-Express checkpoint is {', '.join(FILES)}")
    for name in ("reference_net", "denoising_unet", "v_kps_guider", "audio_projection"):
        state = read(places[name])
        if name == "denoising_unet" and places["motion_module"] is not None:
            state |= read(places["motion_module"])
        state = {key: tensor for key, tensor in state.items() if key not in _DROPPED.get(name, ())}
        network = model.get_submodule(name)
        wrong = differences(state, network.state_dict())
        if wrong:
            raise UsageError(f"{places[name]} does not fit {name}: {'; '.join(wrong[:3])}{f' and {len(wrong) - 3} more' if len(wrong) > 3 else ''}")
        network.load_state_dict(state, strict=True)


def opened(folder: str | os.PathLike[str], step: int | None = None, *, dtype: torch.dtype, device: str = "cpu", config: ModelConfig = FULL) -> VExpress:
    """A model filled from `folder`, made without drawing random weights first. Raises as `load` does."""
    with torch.device("meta"):
        model = VExpress(config)
    model = model.to(dtype).to_empty(device=device)
    load(model, folder, step)
    return model


def save(model: VExpress, folder: str | os.PathLike[str], step: int | None = None, dtype: torch.dtype | None = torch.float16) -> list[Path]:
    """Write the five files as `NAME.bin`, with a step as `NAME-STEP.pth`, each complete or not at all; `dtype` None keeps that of the weights."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    written = []
    for name in FILES:
        state = {key: _stored(tensor, dtype) for key, tensor in _state(model, name).items()}
        place = Path(folder) / (f"{name}.bin" if step is None else f"{name}-{step}.pth")
        part = place.with_name(f".{place.name}.part")
        torch.save(state, part)
        os.replace(part, place)
        written.append(place)
    return written


def find(folder: str | os.PathLike[str], name: str, step: int | None = None) -> Path | None:
    """The file of `name` in `folder`: that of `step`, else the one without a step, else the one with the highest."""
    files = [file for file in Path(folder).glob(f"{name}*") if file.suffix in _ENDINGS]
    plain = {file.stem: file for file in files}
    if step is not None:
        return plain.get(f"{name}-{step}")
    steps = {int(match[1]): file for file in files if (match := re.fullmatch(re.escape(name) + r"-(\d+)", file.stem))}
    return plain.get(name) or (steps[max(steps)] if steps else None)


def read(file: Path, within: str | None = None) -> dict[str, Tensor]:
    """The tensors of a file, on the CPU; nothing but tensors is ever unpickled. `within`: where it may hold them, beside other things.

    Raises `VerificationError` for a file that holds something else.
    """
    try:
        state = _loaded(file)
    except Exception as error:  # noqa: BLE001 - a damaged file raises whatever its broken words lead to
        said = (str(error).splitlines() or [""])[0]
        raise VerificationError(f"{file} is no checkpoint that can be read without running code: {type(error).__name__}: {said[:200]}") from error
    state = state.get(within, state) if isinstance(state, dict) else None
    if not isinstance(state, dict) or not all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in state.items()):
        raise VerificationError(f"{file} is no checkpoint: it holds something else than named tensors")
    return dict(state)


def _loaded(file: Path) -> Any:
    if file.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(file)
    return torch.load(file, map_location="cpu", weights_only=True)


def differences(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> list[str]:
    """How a state dict differs from what is wanted, one phrase each, missing keys first."""
    missing = [f"{key} is missing" for key in wanted if key not in found]
    unknown = [f"{key} is unknown" for key in found if key not in wanted]
    reshaped = [f"{key} is {list(found[key].shape)}, not {list(wanted[key].shape)}" for key in wanted if key in found and found[key].shape != wanted[key].shape]
    return missing + unknown + reshaped


def _state(model: VExpress, file: str) -> dict[str, Tensor]:
    if file == "motion_module":
        return {key: tensor for key, tensor in model.denoising_unet.state_dict().items() if "motion_module" in key}
    return model.get_submodule(file).state_dict()


def _stored(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    return tensor.detach().to("cpu", dtype).contiguous()
