"""How far two samples are learnt by heart: `python -m benchmarks.overfit LAKE [--seconds 270]`, LAKE prepared with --smoke from the corpus.

The tiny model of `--smoke`, stage 3, on one sample of each of two clips, drops off. Before and after: the mean loss over 64 fixed draws of timestep
(100 to 900) and noise. To be learnt: it falls by 80 % or more within five CPU minutes; exits 1 when it does not.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from benchmarks.limits import judged
from benchmarks.table import show
from jobs.training_snapshot import make_snapshot
from schemas.lake import Lake
from training.batch import Batch
from training.core_step import Inputs, inputs_of, latent_shape, loss_of
from training.data import SampleStream, StreamSettings
from training.engine import PlainEngine
from training.model.condition_drops import DropRates
from training.model.image_coder import ImageCoder
from training.model.parameter_groups import freeze_all_but
from training.model.vexpress import VExpress
from training.processes import Processes
from training.random_draws import Draws, generator
from training.stages import Settings, read

DRAWS = 64
LEAST_FALL, MOST_CPU_S = 0.8, 300.0
NOTHING = DropRates(0.0, 0.0, 0.0)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lake")
    parser.add_argument("--seconds", type=float, default=270.0, help="CPU seconds of training")
    arguments = parser.parse_args()
    settings = read(3, None, {"learning_rate": "2e-3", "frames": "2", "weight_decay": "0"}, smoke=True)
    batch = _two_samples(arguments.lake, settings)
    coder = ImageCoder.load(smoke=True)
    torch.manual_seed(0)
    model = VExpress(settings.model_config)
    engine = PlainEngine(model, freeze_all_but(model, 3), settings, Processes())
    fixed = [_inputs(batch, coder, settings, f"fixed {number}") for number in range(DRAWS // 2)]
    before = _mean(model, fixed, settings)
    rows, steps, started, told = [(0, 0, f"{before:.3f}", "")], 0, time.process_time(), 0.0
    while (spent := time.process_time() - started) < arguments.seconds:
        share = spent / arguments.seconds
        engine.optimizer.param_groups[0]["lr"] = settings.learning_rate * (1.0 - 0.95 * share)
        loss = loss_of(engine, _inputs(batch, coder, settings, f"step {steps}"), settings)
        engine.backward(loss.total)
        engine.step()
        steps += 1
        if share - told >= 0.25:
            told = share
            rows.append(_row(steps, spent, _mean(model, fixed, settings), before))
    after = _mean(model, fixed, settings)
    rows.append(_row(steps, spent, after, before))
    clips = ", ".join(sample.clip_id for sample in batch.samples)
    show(f"Overfit of 2 samples ({clips}), smoke configuration", ("steps", "CPU s", "mean loss of 64 fixed draws", "fallen by"), rows)
    judged({f"fallen by {LEAST_FALL:.0%}": 1 - after / before >= LEAST_FALL, f"in {MOST_CPU_S:.0f} CPU s": spent <= MOST_CPU_S})


def _two_samples(lake: str, settings: Settings) -> Batch:
    snapshot = make_snapshot(Lake.at(lake)).snapshot
    with SampleStream(snapshot, StreamSettings(settings.frames, 1, seed=0, flip=0.0, workers=0, reference_margin=settings.reference_margin)) as stream:
        if stream.clips_in_epoch < 2:
            sys.exit(f"two clips are learnt by heart, and {lake} has samples of one: prepare more")
        found: dict[str, Batch] = {}
        for batch in stream:
            found.setdefault(batch.samples[0].clip_id, batch)
            if len(found) == 2:
                break
    one, other = found.values()
    joined = {name: torch.cat([tensor, other.tensors()[name]]) for name, tensor in one.tensors().items()}
    return replace(one, samples=[*one.samples, *other.samples], **joined)


def _inputs(batch: Batch, coder: ImageCoder, settings: Settings, key: str) -> Inputs:
    """The two samples under new noise, at timesteps from 100 to 900, with latents at the posterior's mean."""
    draws = Draws.of(key, 0, [0, 1], latent_shape(batch), NOTHING, [], settings.noise_offset)  # type: ignore[arg-type]
    timesteps = torch.randint(100, 901, (2,), generator=generator(key, "timesteps"))
    still = {"target_noise": torch.zeros_like(draws.target_noise), "reference_noise": torch.zeros_like(draws.reference_noise)}
    if batch.target_moments is None:
        known = inputs_of(batch, replace(draws, **still), coder, torch.device("cpu"), torch.float32)
        moments = [torch.cat([latents / 0.18215, torch.full_like(latents, -30.0)], dim=1) for latents in (known.latents, known.reference_latents)]
        batch.target_moments, batch.reference_moments = moments
    return inputs_of(batch, replace(draws, timesteps=timesteps, **still), None, torch.device("cpu"), torch.float32)


@torch.no_grad()
def _mean(network: Callable[..., Tensor], fixed: list[Inputs], settings: Settings) -> float:
    return sum(loss_of(network, inputs, settings).total.item() for inputs in fixed) / len(fixed)


def _row(steps: int, spent: float, loss: float, before: float) -> tuple[int, str, str, str]:
    return steps, f"{spent:.0f}", f"{loss:.3f}", f"{100 * (1 - loss / before):.1f} %"


if __name__ == "__main__":
    main()
