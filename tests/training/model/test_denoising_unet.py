"""What the denoising UNet may leave out, and what it refuses."""

from dataclasses import replace

import pytest
import torch

from tests.training.model.golden_cases import GENERATING, DenoisingInputs
from tests.training.model.golden_model import golden_model
from training.model.condition_drops import Drops
from training.model.conditions import Conditions
from training.model.initial_weights import silence_new_parts
from training.model.vexpress import VExpress
from udfs.nets.true_float32 import true_float32

AT_500 = torch.tensor([500])


def nothing_dropped(model: VExpress, batch: int, frames: int) -> Drops:
    none = torch.zeros(batch, dtype=torch.bool)
    kept = torch.zeros(batch, frames, dtype=torch.bool)
    return Drops(none, none, dict.fromkeys(model.denoising_unet.attention_names(), kept))


def test_zero_conditions_are_no_conditions_but_still_add_biases(model64: VExpress) -> None:
    one = DenoisingInputs.of(model64).first()
    strong = replace(one.conditions, **GENERATING)
    zeros = replace(
        strong,
        kps_features=torch.zeros_like(strong.kps_features),
        audio_tokens=torch.zeros_like(strong.audio_tokens),
        reference={name: torch.zeros_like(bank) for name, bank in strong.reference.items()},
    )
    unet = model64.denoising_unet
    torch.testing.assert_close(unet(one.noisy, AT_500, zeros), unet(one.noisy, AT_500, strong.nothing()), rtol=0, atol=1e-12)
    lighter = replace(strong.nothing(), audio_weight=1.0)
    assert (unet(one.noisy, AT_500, lighter) - unet(one.noisy, AT_500, strong.nothing())).abs().max() > 0.01


def test_keys_made_once_per_portrait_change_nothing(model64: VExpress) -> None:
    one = DenoisingInputs.of(model64).first()
    unet = model64.denoising_unet
    ready = replace(one.conditions, reference=unet.reference_keys(one.conditions.reference))
    torch.testing.assert_close(unet(one.noisy, AT_500, ready), unet(one.noisy, AT_500, one.conditions), rtol=0, atol=0)


def test_a_dropped_frame_sees_a_zero_bank_and_the_others_theirs(model64: VExpress) -> None:
    one = DenoisingInputs.of(model64).first()
    model, name, frame = model64.denoising_unet, "up_blocks.1.attentions.1", 4
    drops = nothing_dropped(model64, 1, 6)
    dropped = drops.reference[name].clone()
    dropped[0, frame] = True
    block = model.get_submodule(name).block
    tokens = torch.randn(6, 16, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    audio_less = replace(one.conditions, audio_tokens=None)
    found = block(tokens, 6, replace(drops, reference={**drops.reference, name: dropped}).applied(audio_less), name)
    with_bank = block(tokens, 6, audio_less, name)
    zero_bank = block(tokens, 6, replace(audio_less, reference={name: torch.zeros_like(one.conditions.reference[name])}), name)
    torch.testing.assert_close(found[frame], zero_bank[frame], rtol=0, atol=1e-12)
    others = [index for index in range(6) if index != frame]
    torch.testing.assert_close(found[others], with_bank[others], rtol=0, atol=0)
    assert (found[frame] - with_bank[frame]).abs().max() > 0.01


def test_motion_and_audio_may_be_left_out_while_they_are_silent() -> None:
    model = golden_model(torch.float64).requires_grad_(False)
    assert silence_new_parts(model.denoising_unet) == 74
    one = DenoisingInputs.of(model).first()
    whole = model.denoising_unet(one.noisy, AT_500, one.conditions)
    short = model.denoising_unet(one.noisy, AT_500, replace(one.conditions, audio_tokens=None), motion=False)
    torch.testing.assert_close(short, whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("shape", "said"), [((1, 4, 2, 12, 16), "12x16"), ((1, 4, 33, 8, 8), "at most 32 frames")])
def test_sizes_that_do_not_fit_are_refused(model32: VExpress, shape: tuple[int, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        model32.denoising_unet(torch.zeros(shape), AT_500, Conditions())


@pytest.mark.parametrize(("dtype", "rms"), [(torch.float16, 4e-3), (torch.bfloat16, 3e-2)])
def test_half_precision_stays_near(dtype: torch.dtype, rms: float, model64: VExpress) -> None:
    exact = DenoisingInputs.of(model64).first()
    half_model = golden_model(dtype).requires_grad_(False)
    half = DenoisingInputs.of(half_model).first()
    found = half_model.denoising_unet(half.noisy, AT_500, half.conditions)
    assert found.dtype == dtype
    wanted = model64.denoising_unet(exact.noisy, AT_500, exact.conditions)
    assert (found.double() - wanted).square().mean().sqrt() < rms


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_gpu_agrees_with_cpu(model32: VExpress) -> None:
    one = DenoisingInputs.of(model32).first()
    wanted = model32.denoising_unet(one.noisy, AT_500, one.conditions)
    device = torch.device("cuda")
    on_gpu = golden_model(torch.float32).requires_grad_(False).to(device)
    with true_float32():
        found = on_gpu.denoising_unet(one.noisy.to(device), AT_500.to(device), one.conditions.to(device))
    torch.testing.assert_close(found.cpu(), wanted, rtol=0, atol=1e-3)
