"""What an engine makes of a gradient that is no number: a scaled one is forgiven, any other is told."""

import torch

from training.engine import LossScale, PlainEngine
from training.processes import Processes
from training.stages import read


def scaled(now: float) -> PlainEngine:
    """An engine of one weight whose loss is scaled as for half precision."""
    settings = read(3, None, {"engine": "plain", "start": "random"}, smoke=True)
    weight = torch.nn.Linear(1, 1, bias=False)
    engine = PlainEngine(weight, dict(weight.named_parameters()), settings, Processes())
    engine._scale = LossScale(now)
    return engine


def test_a_step_whose_scaled_gradient_overflows_is_left_out_and_the_scale_halved():
    engine = scaled(2.0**127)
    before = engine.masters[0].detach().clone()
    skipped = []
    for _ in range(3):
        engine.backward(engine(torch.full((1, 1), 8.0)).abs().sum())
        skipped.append(engine.step().skipped)
    assert skipped == [True, True, True] and torch.equal(engine.masters[0], before)
    assert engine.loss_scale()["now"] == 2.0**125, "the first overflow is forgiven"


def test_the_scale_changes_no_gradient_and_goes_on_after_a_resume():
    norms = []
    for now in (1.0, 2.0**10):
        engine = scaled(now)
        engine.backward(engine(torch.full((1, 1), 0.5)).sum())
        norms.append(float(engine.step().gradient_norm))
    assert norms == [0.5, 0.5]
    state = engine.shard()["loss_scale"]
    assert state == {"now": 2.0**10, "good_steps": 1, "patience": 2}
    other = scaled(1.0)
    other.set_loss_scale(state)
    assert other.loss_scale() == state
    other.set_loss_scale({"cur_scale": 4.0})
    assert other.loss_scale() == state, "what another kind of scaler kept is passed over"


def test_the_scale_grows_after_a_thousand_good_steps_and_never_falls_below_one():
    scale = LossScale(4.0)
    assert all(scale.saw(finite=True) for _ in range(1000)) and scale.now == 8.0
    assert not any(scale.saw(finite=False) for _ in range(9)) and scale.now == 1.0
