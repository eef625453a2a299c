"""Published models whose weights a new model takes over, and what each of them has to hold (vexpress.md §11.2)."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from schemas.errors import UsageError
from training.model import official
from training.model.initial_weights import fill_known, with_reference_attention
from training.model.vexpress import VExpress

RELATIVES = ("sd-image-variations-unet", "moore-reference-unet", "moore-denoising-unet", "moore-pose-guider")
"""Entries of the weights manifest that a first stage takes, in the order in which they are applied."""
MOTION = "animatediff-motion"
_MOTION_KEYS = ".motion_modules."
_REFERENCE_ATTENTION = (".attn1_5.", ".norm1_5.")
_TAIL = ("conv_out.",)
"""Of ReferenceNet, which its authors leave out: it is not computed."""


def fill_from_relatives(model: VExpress) -> None:
    """Everything but motion modules and the audio projection.

    Raises `UsageError` where a file is not the one that its name says, `VerificationError` where it cannot be read.
    """
    base, reference, denoising, guider = (_published(name) for name in RELATIVES)
    _fill(model.reference_net, base, RELATIVES[0])
    _fill(model.denoising_unet, base, RELATIVES[0], may_lack=(_MOTION_KEYS, *_REFERENCE_ATTENTION))
    _fill(model.reference_net, reference, RELATIVES[1], may_lack=_TAIL)
    _fill(model.denoising_unet, with_reference_attention(denoising), RELATIVES[2], may_lack=(_MOTION_KEYS,))
    wrong = official.differences(guider, model.v_kps_guider.state_dict())
    if wrong:
        raise UsageError(f"the weights {RELATIVES[3]} do not fit the V-Kps guider: {wrong[0]}")
    model.v_kps_guider.load_state_dict(guider)


def fill_motion(model: VExpress) -> None:
    """All motion modules. Raises as `fill_from_relatives`."""
    state = {key.removeprefix("module."): tensor for key, tensor in _published(MOTION).items() if _MOTION_KEYS in key}
    modules = {key for key in model.denoising_unet.state_dict() if _MOTION_KEYS in key}
    _fill(model.denoising_unet, state, MOTION, wanted=modules)


def _fill(network: nn.Module, state: Mapping[str, Tensor], name: str, *, may_lack: Sequence[str] = (), wanted: set[str] | None = None) -> None:
    """Copy `state` over; every tensor of the network (or of those `wanted`) must be in it but those with a part of `may_lack` in their names."""
    needed = {key for key in network.state_dict() if not any(part in key for part in may_lack)} if wanted is None else wanted
    try:
        lacking = [key for key in fill_known(network, state) if key in needed]
    except ValueError as error:
        raise UsageError(f"the weights {name} are those of another network: {error}") from error
    if lacking:
        raise UsageError(f"the weights {name} are those of another network: they lack {len(lacking)} of {len(needed)} tensors, such as {lacking[0]}")


def _published(name: str) -> dict[str, Tensor]:
    from udfs import weights

    return official.read(weights.path(name), within="state_dict")
