"""What an engine makes of a gradient that is no number: a scaled one is forgiven, any other is told."""

import math
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch

from training.engine import LossScale, Moved, PlainEngine
from training.processes import Processes, opened
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


def under_deepspeed(precisions: dict[str, torch.dtype]) -> dict[str, Moved]:
    """What DeepSpeed makes of a loss that is a number and whose gradient is none, by precision."""
    from deepspeed.accelerator import get_accelerator

    from training.deepspeed_engine import DeepSpeedEngine

    told = {}
    get_accelerator().is_fp16_supported = lambda: True  # torch multiplies float16 on a CPU too; DeepSpeed does not trust it
    with opened("cpu", group_for_one=True) as processes:
        for precision, dtype in precisions.items():
            settings = read(3, None, {"precision": precision, "start": "random"}, smoke=True)
            weight = torch.nn.Linear(1, 1, bias=False, dtype=dtype)
            engine = DeepSpeedEngine(weight, dict(weight.named_parameters()), settings, processes)
            answer = engine(torch.ones((1, 1), dtype=dtype))
            answer.register_hook(lambda gradient: gradient / 0.0)
            engine.backward(answer.sum())
            moved = engine.step()
            told[precision] = Moved(float(moved.gradient_norm), moved.skipped)
    return told


def test_deepspeed_leaves_out_a_step_only_for_the_sake_of_a_scale(monkeypatch):
    """In a process of its own: DeepSpeed changes what other tests of this one rely on."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        told = process.submit(under_deepspeed, {"bf16": torch.bfloat16, "fp32": torch.float32, "fp16": torch.float16}).result()
    assert {precision: moved.skipped for precision, moved in told.items()} == {"bf16": False, "fp32": False, "fp16": True}
    assert not any(math.isfinite(moved.gradient_norm) for moved in told.values())
