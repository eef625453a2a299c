"""Starting from other models' weights."""

import pytest
import torch

from tests.training.model.golden_model import SMALL
from training.model.initial_weights import fill_known, with_reference_attention
from training.model.vexpress import VExpress


def test_reference_attention_starts_as_a_copy_of_self_attention(model32: VExpress) -> None:
    relative = {key: tensor for key, tensor in model32.denoising_unet.state_dict().items() if "1_5" not in key and "motion" not in key}
    unet = VExpress(SMALL).denoising_unet
    left = fill_known(unet, with_reference_attention(relative))
    assert all(".motion_modules." in key for key in left)
    block = unet.up_blocks[1].attentions[2].block
    assert torch.equal(block.attn1_5.to_q.weight, model32.denoising_unet.up_blocks[1].attentions[2].block.attn1.to_q.weight)
    assert torch.equal(block.norm1_5.bias, block.norm1.bias)


def test_unknown_keys_are_ignored_and_other_shapes_are_refused() -> None:
    guider = VExpress(SMALL).v_kps_guider
    assert len(fill_known(guider, {"conv_in.bias": torch.ones(8), "class_embedding": torch.ones(3)})) == len(guider.state_dict()) - 1
    assert torch.equal(guider.conv_in.bias, torch.ones(8))
    with pytest.raises(ValueError, match=r"conv_in.bias is \[9\], not \[8\]"):
        fill_known(guider, {"conv_in.bias": torch.ones(9)})


def test_new_parts_add_nothing_as_constructed() -> None:
    model = VExpress(SMALL)
    assert model.v_kps_guider(torch.rand(1, 3, 1, 64, 64)).abs().max() == 0
    motion = model.denoising_unet.mid_block.motion_modules[0]
    video = torch.randn(2, 64, 4, 4)
    assert torch.equal(motion(video, 2), video)
    assert model.denoising_unet.mid_block.attentions[0].block.attn2.to_out[0].weight.abs().max() == 0
