"""The loop: batches in, moved weights, checkpoints and metrics out. Knows its data only as an iterator of batches."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from schemas.errors import Interrupted, VerificationError
from training.batch import Batch
from training.checkpoints import Manifest
from training.core_step import DTYPES, Inputs, draws_of, inputs_of, loss_of
from training.engine import Engine
from training.metrics_log import MetricsLog, ProgressLine
from training.model.image_coder import ImageCoder
from training.processes import Processes
from training.shelf import Shelf
from training.stages import Settings
from training.stop_request import StopRequest
from training.validation import Validation


class StepReport(NamedTuple):
    """One step of this rank: the mean loss of its samples and the gradient's norm, both perhaps still on their way on the GPU."""

    loss: torch.Tensor
    gradient_norm: torch.Tensor | float
    skipped: bool


class Outcome(NamedTuple):
    """What a run did. Losses are those of its first and last step, None where there was none."""

    first_step: int
    steps: int
    first_loss: float | None
    last_loss: float | None
    seconds: float


@dataclass
class Trainer:
    """A network, the engine that moves it, and how a batch becomes a step. Works without any folder."""

    settings: Settings
    network: nn.Module
    engine: Engine
    coder: Callable[[], ImageCoder | None]
    processes: Processes

    def __post_init__(self) -> None:
        self.blocks: list[str] = self.network.denoising_unet.attention_names()
        self.dtype = DTYPES[self.settings.precision]

    def prepared(self, batch: Batch) -> Inputs:
        """A batch on the device, with all that chance decides for it."""
        needed = batch.target_moments is None or batch.reference_moments is None
        draws = draws_of(batch, self.settings, self.blocks)
        return inputs_of(batch, draws, self.coder() if needed else None, self.processes.device, self.dtype)

    def step(self, inputs: Inputs) -> StepReport:
        """Forward, backward, move. Conditions are made anew for every part of the step."""
        samples, parts = len(inputs.latents), self.settings.accumulation
        size, losses = samples // parts, []
        for part in range(parts):
            loss = loss_of(self.engine, inputs if parts == 1 else inputs.part(slice(part * size, (part + 1) * size)), self.settings)
            self.engine.backward(loss.total)
            losses.append(loss.total.detach())
        moved = self.engine.step()
        return StepReport(torch.stack(losses).mean(), moved.gradient_norm, moved.skipped)


class Run:
    """A run of a trainer that keeps its steps on a shelf, from the step of `manifest` on."""

    def __init__(self, trainer: Trainer, shelf: Shelf, manifest: Manifest, stop: StopRequest, *, quiet: bool = False) -> None:
        self._trainer, self._shelf, self._manifest, self._stop, self._quiet = trainer, shelf, manifest, stop, quiet

    def through(self, batches: Iterator[Batch], validation: Validation | None, after_checkpoint: Callable[[int], None]) -> Outcome:
        """Train to the last step; `after_checkpoint(done)` is called on all ranks after each written step.

        Raises `Interrupted` after a step was saved for a signal, `VerificationError` with the clips' ids where the loss or the gradient is
        no number (nothing is saved then).
        """
        trainer, settings, processes = self._trainer, self._trainer.settings, self._trainer.processes
        first, started, losses = self._manifest.step, time.monotonic(), []
        line = ProgressLine(self._shelf.folder.name, settings.steps, first, quiet=self._quiet or not processes.first)
        with MetricsLog(self._shelf.folder, processes.rank, first + 1) as log:
            batch = next(batches) if first < settings.steps else None
            inputs = trainer.prepared(batch) if batch is not None else None
            for done in range(first + 1, settings.steps + 1):
                assert batch is not None and inputs is not None
                report, current = trainer.step(inputs), batch
                if done < settings.steps:  # while the GPU works
                    batch = next(batches)
                    inputs = trainer.prepared(batch)
                loss = self._agreed(done, report, current)
                losses = [losses[0] if losses else loss, loss]
                log.step(done, {"train/loss": loss, "train/gradient_norm": float(report.gradient_norm)}, current.samples)
                line.step(done, loss)
                if validation is not None and settings.validate_every and done % settings.validate_every == 0:
                    held_out = validation.loss(trainer.network)
                    log.scalars(done, {} if held_out is None else {"validation/loss": held_out})
                stopping = self._stopping
                if stopping or done % settings.checkpoint_every == 0 or done == settings.steps:
                    log.flush()
                    self._save(done)
                    if not stopping:
                        after_checkpoint(done)
                if stopping:
                    raise Interrupted(stopping)
                self._shelf.share_metrics(processes.rank, due=True)
        return Outcome(first, settings.steps - first, *(losses or (None, None)), time.monotonic() - started)

    def _agreed(self, done: int, report: StepReport, batch: Batch) -> float:
        """The loss of all ranks, and whether any of them was asked to stop. Raises `VerificationError` where it, or a gradient that was taken, is no number."""
        processes = self._trainer.processes
        loss = float(report.loss)
        wrong = not math.isfinite(loss)
        bad = wrong or not (report.skipped or math.isfinite(float(report.gradient_norm)))
        total, wrong_ranks, bad_ranks, stopping = processes.sums([0.0 if wrong else loss, float(wrong), float(bad), float(self._stop.signal > 0)])
        if bad_ranks:
            blamed = wrong if wrong_ranks else bad  # one rank's loss makes the gradient of all wrong
            clips = [clip for ids in processes.all([sample.clip_id for sample in batch.samples] if blamed else []) for clip in ids]
            what = "loss" if wrong_ranks else "gradient"
            raise VerificationError(
                f"the {what} of step {done} is no number; clips of that step: {', '.join(clips)}; the last checkpoint is from before it: "
                "look at those clips, or go on with a smaller learning_rate"
            )
        self._stopping = max(processes.all(self._stop.signal)) if stopping else 0
        return total / processes.world

    def _save(self, done: int) -> None:
        manifest = Manifest(**{**vars(self._manifest), "step": done, "files": {}})
        trainer = self._trainer
        self._shelf.write(manifest, trainer.engine.shard(), trainer.processes, trainer.settings.keep_checkpoints)
