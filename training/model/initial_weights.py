"""What training starts from besides official checkpoints (vexpress.md §11.2)."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from training.model.denoising_unet import DenoisingUNet


def silence_new_parts(unet: DenoisingUNet) -> int:
    """Set the last layers of motion modules and of audio attention to zero, so that both add nothing; returns how many tensors were set (74 at full size).

    Stages 1 and 2 start so. Stage 3 must not: it would throw stage 2 away.
    """
    chosen = [parameter for name, parameter in unet.named_parameters() if "temporal_transformer.proj_out" in name or "attn2.to_out" in name]
    with torch.no_grad():
        for parameter in chosen:
            parameter.zero_()
    return len(chosen)


def fill_known(network: nn.Module, state: Mapping[str, Tensor]) -> list[str]:
    """Copy what `state` has for `network`, from a relative with other parts (SD image variations, AnimateDiff); returns the keys that it did not have.

    Keys that the network does not know are ignored. Raises `ValueError` where a shape differs.
    """
    own = network.state_dict()
    known = {key: tensor for key, tensor in state.items() if key in own}
    reshaped = [key for key, tensor in known.items() if tensor.shape != own[key].shape]
    if reshaped:
        raise ValueError(f"{reshaped[0]} is {list(known[reshaped[0]].shape)}, not {list(own[reshaped[0]].shape)}")
    network.load_state_dict(known, strict=False)
    return [key for key in own if key not in known]


def with_reference_attention(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state` of a denoising UNet that has no reference attention (Moore-AnimateAnyone), with a copy of its self-attention in that place."""
    copies = {key.replace(".attn1.", ".attn1_5.").replace(".norm1.", ".norm1_5."): tensor for key, tensor in state.items() if ".transformer_blocks." in key}
    return {**copies, **state}
