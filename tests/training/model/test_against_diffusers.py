"""Where diffusers computes the same, it gives the same numbers (vexpress.md §0)."""

import pytest
import torch

from tests.training.model.golden_model import given
from training.model import ddim
from training.model.noise_schedule import alpha_bars
from training.model.vexpress import VExpress

diffusers = pytest.importorskip("diffusers")


def test_schedule_and_steps_are_those_of_its_ddim_scheduler() -> None:
    scheduler = diffusers.DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        steps_offset=1,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
    )
    assert torch.equal(scheduler.alphas_cumprod, alpha_bars())
    latents, v = given("sched_x", 1, 4, 2, 4, 4), given("sched_v", 1, 4, 2, 4, 4)
    for steps in (3, 7, 25, 40):
        scheduler.set_timesteps(steps)
        assert scheduler.timesteps.tolist() == ddim.timesteps(steps)
        for timestep in scheduler.timesteps:
            wanted = scheduler.step(v, timestep, latents).prev_sample
            torch.testing.assert_close(ddim.step(latents, v, int(timestep), steps), wanted, rtol=0, atol=2e-6)


def test_banks_are_what_its_unet_hands_to_cross_attention(model64: VExpress) -> None:
    unet = diffusers.UNet2DConditionModel(block_out_channels=(32, 64, 64, 64), cross_attention_dim=768, attention_head_dim=8).double()
    state = model64.reference_net.state_dict()
    own_only = {key: tensor for key, tensor in unet.state_dict().items() if key not in state}
    assert set(own_only) == {"conv_norm_out.weight", "conv_norm_out.bias"}
    unet.load_state_dict({**state, **own_only}, strict=True)
    banks: dict[str, torch.Tensor] = {}
    for name, module in unet.named_modules():
        if name.endswith(".attn2"):
            block = name.removesuffix(".transformer_blocks.0.attn2")
            module.register_forward_pre_hook(lambda _module, inputs, block=block: banks.update({block: inputs[0]}))
    latents = given("ref_latents", 1, 4, 16, 16).double()
    with torch.no_grad():
        unet(latents, 0, torch.zeros(1, 1, 768, dtype=torch.float64))
    found = model64.reference_net(latents)
    assert set(found) == set(banks)
    for name, bank in banks.items():
        torch.testing.assert_close(found[name], bank, rtol=0, atol=1e-9)
