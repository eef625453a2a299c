"""Which parameters each stage trains (vexpress.md §11.3)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from re import Pattern

from torch import nn

from training.model.vexpress import VExpress


@dataclass(frozen=True)
class Group:
    """Parameters of `network` whose name matches `names` and no earlier group of the network; `useful` is False where the gradient is always zero."""

    network: str
    name: str
    names: Pattern[str]
    stages: frozenset[int]
    useful: bool = True


def _group(network: str, name: str, names: str, *stages: int, useful: bool = True) -> Group:
    return Group(network, name, re.compile(names), frozenset(stages), useful)


_BLOCK = r"\.attentions\.\d+\.transformer_blocks\.0\."
GROUPS = (
    _group("reference_net", "output", r"^conv_out\.", 1, 3, useful=False),
    _group("reference_net", "last level", r"^up_blocks\.3\."),
    _group("reference_net", "cross attention", r"\.attn2\.(to_[qkv]\.weight|to_out\.0\.weight)", 1, 3, useful=False),
    _group("reference_net", "rest", r".", 1, 3),
    _group("denoising_unet", "motion modules", r"\.motion_modules\.", 2, 3),
    _group("denoising_unet", "audio attention", _BLOCK + r"(attn2|norm2)\.", 2, 3),
    _group("denoising_unet", "rest", r".", 1, 3),
    _group("v_kps_guider", "all", r".", 1, 3),
    _group("audio_projection", "all", r".", 2, 3),
)


def trained_in(stage: int, *, useless_too: bool = False) -> Callable[[str], bool]:
    """A test for names of `VExpress` parameters, such as `reference_net.conv_in.weight`: is it trained in `stage`?

    Parameters that never get a gradient are left out (they only cost optimiser state) unless asked for; with them the counts are the published ones.
    """

    def trained(name: str) -> bool:
        group = group_of(name)
        return stage in group.stages and (group.useful or useless_too)

    return trained


def group_of(name: str) -> Group:
    """The first group that a parameter of `VExpress` belongs to."""
    network, _, inside = name.partition(".")
    return next(group for group in GROUPS if group.network == network and group.names.search(inside))


def freeze_all_but(model: VExpress, stage: int) -> dict[str, nn.Parameter]:
    """Set `requires_grad` as `stage` wants it; returns what is trained, by name."""
    trained = trained_in(stage)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(trained(name))
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
