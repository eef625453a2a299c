"""One training step up to the loss (vexpress.md §11.1): from a batch and what chance decided for it. Knows nothing of optimisers and ranks."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from training.batch import Batch
from training.model.denoising_unet import folded
from training.model.image_coder import ImageCoder, sampled_latents
from training.model.loss import Loss, v_loss
from training.model.noise_schedule import add_noise, velocity
from training.random_draws import Draws
from training.stages import Settings

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


@dataclass(frozen=True)
class Inputs:
    """What the loss of some samples needs, on the device: latents (b, 4, f, h, w) and (b, 4, h, w) in float32, the rest in the dtype of the weights."""

    latents: Tensor
    reference_latents: Tensor
    kps_images: Tensor
    audio_windows: Tensor
    lip_masks: Tensor
    draws: Draws

    def part(self, which: slice) -> "Inputs":
        """Those of some of the samples."""
        drops = self.draws.drops
        cut = None
        if drops is not None:
            cut = type(drops)(drops.unconditional[which], drops.kps[which], {name: dropped[which] for name, dropped in drops.reference.items()})
        draws = self.draws
        return Inputs(
            self.latents[which],
            self.reference_latents[which],
            self.kps_images[which],
            self.audio_windows[which],
            self.lip_masks[which],
            Draws(draws.noise[which], draws.timesteps[which], draws.target_noise[which], draws.reference_noise[which], cut),
        )


def latent_shape(batch: Batch) -> tuple[int, int, int]:
    """(f, h, w) of a batch's latents."""
    return tuple(batch.lip_masks.shape[2:])  # type: ignore[return-value]


def draws_of(batch: Batch, settings: Settings, blocks: list[str]) -> Draws:
    """What chance decides for a batch."""
    indices = [sample.index for sample in batch.samples]
    return Draws.of(settings.seed, batch.step, indices, latent_shape(batch), settings.drop_rates, blocks, settings.noise_offset)


def inputs_of(batch: Batch, draws: Draws, coder: ImageCoder | None, device: torch.device, dtype: torch.dtype) -> Inputs:
    """Move a batch to the device, pictures turned into latents. `coder` may be None where all latents are cached. Raises `ValueError` where it is needed."""
    draws = draws.to(device)
    targets, references = batch.target_moments, batch.reference_moments
    if targets is None or references is None:
        if coder is None:
            raise ValueError("a batch with pictures needs a VAE")
        pictures = torch.cat([folded(batch.targets.to(device, non_blocking=True)), batch.references.to(device, non_blocking=True)])
        moments = coder.moments(pictures)
        samples = len(batch.samples)
        targets = moments[:-samples].unflatten(0, (samples, -1)).transpose(1, 2)
        references = moments[-samples:]
    moved = batch.kps_images.to(device, dtype, non_blocking=True), batch.audio_windows.to(device, dtype, non_blocking=True)
    return Inputs(
        sampled_latents(targets.to(device, torch.float32), draws.target_noise),
        sampled_latents(references.to(device, torch.float32), draws.reference_noise),
        *moved,
        batch.lip_masks.to(device, non_blocking=True),
        draws,
    )


def loss_of(network: Callable[..., Tensor], inputs: Inputs, settings: Settings) -> Loss:
    """The loss of some samples. `network` is called as `VExpress` is.

    Without motion modules and audio attention, where they add nothing (stage 1), the result is the same and cheaper.
    """
    draws = inputs.draws
    noisy = add_noise(inputs.latents, draws.noise, draws.timesteps)
    target = velocity(inputs.latents, draws.noise, draws.timesteps)
    audio = inputs.audio_windows if settings.motion else None
    prediction = network(noisy, draws.timesteps, inputs.reference_latents, inputs.kps_images, audio, draws.drops, motion=settings.motion)
    return v_loss(prediction, target, draws.timesteps, inputs.lip_masks, settings.lip_weight, settings.snr_gamma)
