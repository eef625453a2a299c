"""Arithmetic of the talking-head model at full size, counted without computing: `python -m benchmarks.vexpress_cost`.

Two per multiply-add, products, convolutions and attention only, 512x512 (vexpress.md §13). The last column is what the original needs for the same.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from training.model.conditions import Conditions
from training.model.parameter_groups import freeze_all_but
from training.model.vexpress import VExpress


@dataclass(frozen=True)
class Step:
    """One training step, and the TFLOP of the original without the VAE."""

    stage: int
    batch: int
    frames: int
    checkpointing: bool
    original: float


STEPS = (
    Step(1, 8, 1, False, 16.7 + 29.6),
    Step(2, 1, 20, False, 26.6 + 32.4),
    Step(2, 1, 20, True, 26.6 + 32.4 + 23.7),
    Step(3, 1, 8, False, 11.1 + 22.1),
)


def main() -> None:
    """Print both tables."""
    with torch.device("meta"):
        model = VExpress().to(torch.bfloat16).requires_grad_(False)
        _print_inference(model)
        for step in STEPS:
            _print_step(model, step)


def _print_inference(model: VExpress) -> None:
    conditions = _conditions(model)
    parts: tuple[tuple[str, Callable[[], object], float], ...] = (
        ("ReferenceNet, once", lambda: model.reference_net(torch.empty(1, 4, 64, 64)), 0.797),
        ("denoising UNet per frame of 24, conditional", lambda: _denoise(model, conditions), 24 * 1.2776),
        ("denoising UNet per frame of 24, unconditional", lambda: _denoise(model, conditions.nothing()), 24 * 1.2776),
        ("guider per frame", lambda: model.v_kps_guider(torch.empty(1, 3, 1, 512, 512)), 0.0147),
        ("audio projection per frame", lambda: model.audio_projection(torch.empty(1, 1, 10, 768)), 0.0004),
    )
    for name, compute, original in parts:
        frames = 24 if "24" in name else 1
        print(f"{name:50s} {_tflop(compute) / frames:9.4f} TFLOP {original / frames:9.4f}")


def _print_step(model: VExpress, step: Step) -> None:
    freeze_all_but(model, step.stage)
    model.use_checkpointing(denoising_unet=step.checkpointing)
    silent = step.stage == 1
    inputs = (
        torch.empty(step.batch, 4, step.frames, 64, 64),
        torch.empty(step.batch, dtype=torch.int64),
        torch.empty(step.batch, 4, 64, 64),
        torch.empty(step.batch, 3, step.frames, 512, 512),
        None if silent else torch.empty(step.batch, step.frames, 10, 768),
    )
    with FlopCounterMode(display=False) as counter:
        loss = model(*inputs, motion=not silent).float().square().mean()
        forward = counter.get_total_flops() / 1e12
        loss.backward()
    whole = counter.get_total_flops() / 1e12
    name = f"stage {step.stage}, batch {step.batch}, {step.frames} frames{', checkpointed' if step.checkpointing else ''}"
    print(f"{name:50s} {whole:9.1f} TFLOP {step.original:9.1f}   forward {forward:.1f}, {400 / whole:.2f} it/s at 400 TFLOP/s")


def _conditions(model: VExpress) -> Conditions:
    banks = model.reference_net(torch.empty(1, 4, 64, 64))
    return Conditions(torch.empty(1, 320, 24, 64, 64), torch.empty(1, 24, 5, 768, dtype=torch.bfloat16), model.denoising_unet.reference_keys(banks))


def _denoise(model: VExpress, conditions: Conditions) -> Tensor:
    return model.denoising_unet(torch.empty(1, 4, 24, 64, 64), torch.empty(1, dtype=torch.int64), conditions)


def _tflop(compute: Callable[[], object]) -> float:
    with FlopCounterMode(display=False) as counter:
        compute()
    return counter.get_total_flops() / 1e12


if __name__ == "__main__":
    main()
