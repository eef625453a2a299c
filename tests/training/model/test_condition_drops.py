"""Conditions left out at random."""

import torch

from tests.training.model.golden_cases import DenoisingInputs
from tests.training.model.test_denoising_unet import nothing_dropped
from training.model.condition_drops import DropRates, Drops
from training.model.vexpress import VExpress

BLOCKS = ["down_blocks.0.attentions.0", "mid_block.attentions.0"]


def draw(seed: int, rates: DropRates) -> Drops:
    return Drops.draw(torch.Generator().manual_seed(seed), rates, 20, BLOCKS)


def test_an_unconditional_sample_of_a_batch_is_as_if_alone_without_conditions(model64: VExpress) -> None:
    both = DenoisingInputs.of(model64)
    drops = nothing_dropped(model64, 2, 6)
    times = torch.tensor([500, 37])
    mixed = model64.denoising_unet(both.noisy, times, Drops(torch.tensor([False, True]), drops.kps, drops.reference).applied(both.conditions))
    whole = model64.denoising_unet(both.noisy, times, both.conditions)
    empty = model64.denoising_unet(both.noisy, times, both.conditions.nothing())
    torch.testing.assert_close(mixed[0], whole[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(mixed[1], empty[1], rtol=0, atol=1e-12)


def test_key_points_are_dropped_per_sample(model64: VExpress) -> None:
    conditions = DenoisingInputs.of(model64).conditions
    drops = nothing_dropped(model64, 2, 6)
    found = Drops(drops.unconditional, torch.tensor([True, False]), drops.reference).applied(conditions)
    assert found.kps_features[0].abs().max() == 0
    assert torch.equal(found.kps_features[1], conditions.kps_features[1])
    assert torch.equal(found.audio_tokens, conditions.audio_tokens)
    assert all(kept.all() for kept in found.reference_kept.values())


def test_rates_are_met() -> None:
    rates = DropRates(unconditional=0.1, kps=0.5, reference=0.2)
    drawn = [draw(seed, rates) for seed in range(2000)]
    batch = Drops.together(drawn)
    assert abs(batch.unconditional.float().mean() - 0.1) < 0.03
    assert abs(batch.kps.float().mean() - 0.5) < 0.05
    for dropped in batch.reference.values():
        assert dropped.shape == (2000, 20)
        assert abs(dropped.float().mean() - 0.2) < 0.01


def test_frames_and_blocks_are_drawn_independently() -> None:
    drawn = draw(5, DropRates(reference=0.5)).reference
    first, second = (drawn[name] for name in BLOCKS)
    assert not torch.equal(first, second)
    assert 0 < first.sum() < 20


def test_a_seed_says_what_is_dropped_and_other_rates_do_not_change_the_rest() -> None:
    rates = DropRates(unconditional=0.5, kps=0.5, reference=0.5)
    once, again = draw(7, rates), draw(7, rates)
    assert torch.equal(once.reference[BLOCKS[0]], again.reference[BLOCKS[0]])
    other = draw(7, DropRates(unconditional=0.0, kps=1.0, reference=0.5))
    assert torch.equal(once.reference[BLOCKS[1]], other.reference[BLOCKS[1]])
    assert other.kps.all()
    assert not other.unconditional.any()


def test_rate_zero_never_drops_and_rate_one_always_does() -> None:
    for seed in range(50):
        never, always = draw(seed, DropRates(0.0, 0.0, 0.0)), draw(seed, DropRates(1.0, 1.0, 1.0))
        assert not (never.unconditional.any() or never.kps.any() or never.reference[BLOCKS[0]].any())
        assert always.unconditional.all()
        assert always.kps.all()
        assert always.reference[BLOCKS[0]].all()
