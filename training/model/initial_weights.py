"""What training starts from besides official checkpoints (vexpress.md §11.2)."""

from collections.abc import Mapping

import torch
from torch import Tensor

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


def reference_attention_from_self_attention(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state` of a denoising UNet that has no reference attention (Moore-AnimateAnyone), with its self-attention copied to where that is missing."""
    copies = {key.replace(".attn1.", ".attn1_5.").replace(".norm1.", ".norm1_5."): tensor for key, tensor in state.items() if ".transformer_blocks." in key}
    return {**copies, **state} if not any(".attn1_5." in key for key in state) else dict(state)
