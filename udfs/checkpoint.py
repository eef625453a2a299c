"""Checkpoints of torch networks: read without running anything in them, taken only when they hold exactly what is expected."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from schemas.errors import VerificationError
from udfs.nets import expected

if TYPE_CHECKING:
    from torch import Tensor, nn

Network = TypeVar("Network", bound="nn.Module")
FIRST = 3
"""Differences that a refusal names."""
COUNTER = ".num_batches_tracked"
ZIP = b"PK\x03\x04"
"""How torch's newer files begin; only they can be mapped into memory."""


def read(path: Path, holds: str) -> "dict[str, Tensor]":
    """The tensors of a `.safetensors` or torch file, mapped into memory, bare or under the one key `model`.

    `holds` names the list of keys and shapes in `udfs.nets.expected`; counters of batch normalisation, which inference does not use, may stand
    beside and are left out. Raises `VerificationError`, one sentence, for a file that is no checkpoint or not that one; it names the first differences.
    """
    state = {key: value for key, value in tensors(path).items() if not key.endswith(COUNTER)}
    found = {key: tuple(value.shape) for key, value in state.items()}
    differences = expected.differences(holds, found)
    if differences:
        more = f" and {len(differences) - FIRST} more" if len(differences) > FIRST else ""
        raise VerificationError(f"{path} is not the checkpoint {holds}: {'; '.join(differences[:FIRST])}{more}")
    return state


def is_one(path: Path, holds: str) -> bool:
    """True when `path` is a checkpoint with exactly those keys and shapes."""
    try:
        read(path, holds)
    except VerificationError:
        return False
    return True


def network_from(path: Path, holds: str, make: Callable[[], Network]) -> Network:
    """`make()` with the weights of `path`, for inference, in the network's own dtypes whatever the file's.

    Tensors that have them already are those of the file, so that processes share their memory. Raises `VerificationError` as `read` does, and for
    tensors that cannot be turned into the network's, such as quantised ones.
    """
    import torch

    state = read(path, holds)
    with torch.device("meta"):
        network = make()
    wanted = {key: value.dtype for key, value in network.state_dict().items()}
    for key, value in state.items():
        if value.is_floating_point() != wanted[key].is_floating_point:
            raise VerificationError(f"{path} is not the checkpoint {holds}: {key} is {value.dtype}, expected {wanted[key]}")
        state[key] = value.to(wanted[key])
    network.load_state_dict(state, assign=True)
    return network.eval()


def tensors(path: Path) -> "dict[str, Tensor]":
    """Whatever tensors a `.safetensors` or torch file holds, bare or under the one key `model`. Raises `VerificationError` where it is neither."""
    if not path.is_file():
        raise VerificationError(f"{path} is no file, so no checkpoint")
    with open(path, "rb") as stream:
        head = stream.read(9)
    return _safetensors(path) if head[8:] == b"{" else _torch_file(path, mapped=head.startswith(ZIP))


def _safetensors(path: Path) -> "dict[str, Tensor]":
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise VerificationError(f"{path} is no safetensors file: {error}") from error


def _torch_file(path: Path, *, mapped: bool) -> "dict[str, Tensor]":
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except MemoryError:
        raise
    except Exception as error:  # a damaged file can fail in any way torch's unpickler can
        raise VerificationError(f"{path} is no checkpoint that can be read without running code") from error
    if isinstance(state, dict) and list(state) == ["model"]:
        state = state["model"]
    if not isinstance(state, dict) or not all(isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in state.items()):
        raise VerificationError(f"{path} is no checkpoint: it holds something else than named tensors")
    return state
