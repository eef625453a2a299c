"""What each stage trains."""

import pytest
import torch

from tests.training.model.golden_model import SMALL
from training.model.parameter_groups import freeze_all_but, trained_in
from training.model.vexpress import VExpress

PUBLISHED = {1: (1272, 1_706_928_728), 2: (710, 526_721_024), 3: (1982, 2_233_649_752)}


@pytest.fixture(scope="module")
def full_size() -> VExpress:
    with torch.device("meta"):
        return VExpress()


@pytest.mark.parametrize("stage", PUBLISHED)
def test_counts_are_the_published_ones(stage: int, full_size: VExpress) -> None:
    trained = trained_in(stage, useless_too=True)
    chosen = [parameter for name, parameter in full_size.named_parameters() if trained(name)]
    assert (len(chosen), sum(parameter.numel() for parameter in chosen)) == PUBLISHED[stage]


def test_what_never_gets_a_gradient_is_left_out(full_size: VExpress) -> None:
    sizes = {name: parameter.numel() for name, parameter in full_size.named_parameters()}
    left_out = sum(size for name, size in sizes.items() if trained_in(3, useless_too=True)(name) and not trained_in(3)(name))
    assert left_out == 41_861_120 + 11_524


def test_the_last_level_of_reference_net_is_never_trained() -> None:
    assert not any(trained_in(stage, useless_too=True)("reference_net.up_blocks.3.resnets.0.conv1.weight") for stage in (1, 2, 3))


def test_names_inside_motion_modules_are_not_taken_for_spatial_ones() -> None:
    name = "denoising_unet.mid_block.motion_modules.0.temporal_transformer.transformer_blocks.0.norms.1.weight"
    assert [trained_in(stage)(name) for stage in (1, 2, 3)] == [False, True, True]


def test_freezing_leaves_gradients_to_the_stage_and_every_one_of_them_is_used() -> None:
    model = VExpress(SMALL)
    trained = freeze_all_but(model, 3)
    assert {name for name, parameter in model.named_parameters() if parameter.requires_grad} == set(trained)
    inputs = torch.randn(1, 4, 2, 8, 8), torch.tensor([500]), torch.randn(1, 4, 8, 8), torch.rand(1, 3, 2, 64, 64), torch.randn(1, 2, 10, 80)
    model(*inputs).square().mean().backward()
    assert [name for name, parameter in trained.items() if parameter.grad is None] == []
