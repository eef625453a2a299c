"""The noise schedule, the steps and the loss."""

import numpy as np
import pytest
import torch

from tests.training.model.golden_model import given
from training.model import ddim
from training.model.loss import v_loss
from training.model.noise_schedule import add_noise, alpha_bars, draw_noise, draw_timesteps, min_snr_weight, velocity
from training.model.sampling import initial_noise


def test_signal_left_at_each_timestep_is_the_original_and_zero_at_the_last(numbers: dict) -> None:
    # A few units in the last place of float32: square roots are rounded differently by the libraries of different processors.
    for timestep, wanted in numbers["alpha_bars"].items():
        assert alpha_bars()[int(timestep)].item() == pytest.approx(wanted, rel=5e-7, abs=1e-12)
    assert alpha_bars()[999].item() == 0.0


def test_noise_and_velocity_are_the_original_ones(numbers: dict) -> None:
    clean, noise, times = given("sched_x0", 3, 4, 2, 4, 4), given("sched_n", 3, 4, 2, 4, 4), torch.tensor([0, 500, 999])
    for name, function in (("add_noise", add_noise), ("velocity", velocity)):
        found = function(clean, noise, times).flatten()[::4]
        np.testing.assert_allclose(found.numpy(), numbers["schedule"][f"sched/{name}_t0_500_999"], rtol=0, atol=2e-6)


def test_noisy_half_precision_latents_keep_their_dtype() -> None:
    clean = torch.ones(2, 4, 1, 2, 2, dtype=torch.bfloat16)
    assert add_noise(clean, clean, torch.tensor([0, 999])).dtype == torch.bfloat16


def test_steps_are_the_original_ones(numbers: dict) -> None:
    x, v = given("sched_x", 1, 4, 2, 4, 4), given("sched_v", 1, 4, 2, 4, 4)
    for timestep in (999, 519, 39):
        found = ddim.step(x, v, timestep, 25).flatten()[:24]
        np.testing.assert_allclose(found.numpy(), numbers["schedule"][f"sched/step25_t{timestep}"], rtol=0, atol=2e-6)


def test_timesteps_trail(numbers: dict) -> None:
    for steps, wanted in numbers["timesteps"].items():
        assert ddim.timesteps(int(steps)) == wanted


def test_steps_with_the_true_velocity_end_at_the_clean_latents() -> None:
    clean, noise = given("sched_x0", 1, 4, 2, 4, 4), given("sched_n", 1, 4, 2, 4, 4)
    latents = noise
    for timestep in ddim.timesteps(10):
        latents = ddim.step(latents, velocity(clean, noise, torch.tensor([timestep])), timestep, 10)
    torch.testing.assert_close(latents, clean, rtol=0, atol=1e-5)


def test_min_snr_weights_are_the_original_ones(numbers: dict) -> None:
    times = torch.tensor([int(timestep) for timestep in numbers["min_snr_weight"]])
    assert min_snr_weight(times).tolist() == pytest.approx(list(numbers["min_snr_weight"].values()), abs=1e-6)


def test_noise_of_a_seed_is_the_original_also_when_rounded(numbers: dict) -> None:
    first = initial_noise((1, 4, 2, 4, 4), 42).flatten()[:6]
    for name, dtype in (("fp32", torch.float32), ("fp16", torch.float16), ("bf16", torch.bfloat16)):
        assert first.to(dtype).tolist() == numbers["seed42_noise_first6"][name]


def test_noise_offset_is_shared_by_frames_and_places() -> None:
    plain = draw_noise(torch.Generator().manual_seed(3), (2, 4, 3, 8, 8), offset=0.0)
    shifted = draw_noise(torch.Generator().manual_seed(3), (2, 4, 3, 8, 8), offset=0.05)
    shift = (shifted - plain).flatten(2)
    torch.testing.assert_close(shift, shift[..., :1].expand_as(shift), rtol=0, atol=1e-6)
    assert shift[..., 0].unique().numel() == 8
    assert draw_timesteps(torch.Generator().manual_seed(3), 1000).max() <= 999


def test_lip_weight_counts_the_mouth_and_is_not_renormalised() -> None:
    prediction, target = torch.zeros(1, 4, 1, 2, 2), torch.ones(1, 4, 1, 2, 2)
    mask = torch.zeros(1, 1, 1, 2, 2)
    mask[..., 0, 0] = 1.0
    assert v_loss(prediction, target, torch.tensor([999]), mask, 1.0).total.item() == pytest.approx(1.0)
    assert v_loss(prediction, target, torch.tensor([999]), mask, 100.0).total.item() == pytest.approx((100 + 3) / 4)


def test_loss_of_half_precision_is_computed_in_single() -> None:
    prediction = torch.full((1, 4, 1, 2, 2), 300.0, dtype=torch.float16)
    loss = v_loss(prediction, torch.zeros_like(prediction), torch.tensor([999]), torch.zeros(1, 1, 1, 2, 2), 1.0)
    assert loss.total.item() == pytest.approx(90000.0)
