"""The loss on samples that are never trained on, with the same noise every time. Training does not notice it.

Nothing of the run is touched: no gradient, no module switched to another mode, no hook, no generator but own ones; all ranks take part, each with its share.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from training.batch import Batch
from training.core_step import Inputs, inputs_of, latent_shape, loss_of
from training.model.condition_drops import DropRates
from training.model.image_coder import ImageCoder
from training.processes import Processes
from training.random_draws import Draws
from training.stages import Settings

SEED = "validation"
TIMESTEPS = (100, 300, 500, 700, 900)


class Validation:
    """Some batches of one sample each; `batches` is asked for when they are first needed."""

    def __init__(
        self, batches: Callable[[], Sequence[Batch]], coder: Callable[[], ImageCoder | None], settings: Settings, processes: Processes, dtype: torch.dtype
    ) -> None:
        self._batches, self._coder, self._settings, self._processes, self._dtype = batches, coder, settings, processes, dtype
        self._inputs: list[Inputs] | None = None

    @torch.no_grad()
    def loss(self, network: Callable[..., Tensor]) -> float | None:
        """Mean over samples and `TIMESTEPS`, nothing dropped; None where there is nothing to validate on. All ranks get the same number."""
        if self._inputs is None:
            self._inputs = [
                self._prepared(number, batch) for number, batch in enumerate(self._batches()) if number % self._processes.world == self._processes.rank
            ]
        total, count = 0.0, 0
        for inputs in self._inputs:
            moved = _to(inputs, self._processes.device)
            for timestep in TIMESTEPS:
                draws = replace(moved.draws, timesteps=torch.full_like(moved.draws.timesteps, timestep))
                total += float(loss_of(network, replace(moved, draws=draws), self._settings).total)
                count += 1
        total, count = self._processes.sums([total, count])
        return total / count if count else None

    def _prepared(self, number: int, batch: Batch) -> Inputs:
        """On the CPU, pictures turned into latents."""
        nothing = DropRates(0.0, 0.0, 0.0)
        indices = [f"{number}.{place}" for place in range(len(batch.samples))]
        draws = Draws.of(SEED, 0, indices, latent_shape(batch), nothing, [], self._settings.noise_offset)
        needed = batch.target_moments is None or batch.reference_moments is None
        return _to(inputs_of(batch, draws, self._coder() if needed else None, self._processes.device, self._dtype), torch.device("cpu"))


def _to(inputs: Inputs, device: torch.device) -> Inputs:
    moved = {name: getattr(inputs, name).to(device) for name in ("latents", "reference_latents", "kps_images", "audio_windows", "lip_masks")}
    return Inputs(**moved, draws=inputs.draws.to(device))
