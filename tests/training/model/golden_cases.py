"""What the golden numbers were computed from, by name of the stored array (vexpress.md §14)."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from tests.training.model.golden_model import fill, given
from training.audio_windows import frame_windows, stretched
from training.keypoint_image import draw_keypoints
from training.model.audio_projection import AudioProjection
from training.model.condition_drops import Drops
from training.model.conditions import Conditions
from training.model.config import FULL
from training.model.context_windows import windows
from training.model.denoising_unet import folded
from training.model.initial_weights import silence_new_parts
from training.model.loss import v_loss
from training.model.motion import position_table
from training.model.noise_schedule import add_noise, velocity
from training.model.parameter_groups import trained_in
from training.model.sampling import denoised
from training.model.vexpress import VExpress

Case = tuple[str, Tensor]
PICKED_BANKS = ("down_blocks.1.attentions.1", "mid_block.attentions.0")


def _like(model: VExpress, tensor: Tensor) -> Tensor:
    return tensor.to(model.denoising_unet.conv_in.weight.dtype)


def statistics(tensor: Tensor, picks: int) -> Tensor:
    """Mean, population deviation and values picked evenly from the flat tensor."""
    flat = tensor.flatten()
    return torch.cat([torch.stack([flat.mean(), flat.std(correction=0)]), flat[[index * len(flat) // picks for index in range(picks)]]])


def portrait(model: VExpress, name: str = "ref_latents") -> dict[str, Tensor]:
    """Banks of a golden portrait."""
    return model.reference_net(_like(model, given(name, 1, 4, 16, 16)))


def portrait_cases(model: VExpress) -> Iterator[Case]:
    banks = portrait(model)
    names = [name for name in banks if not name.startswith("mid")] + ["mid_block.attentions.0"]
    yield "refnet/bank_stats", torch.stack([statistics(banks[name], 16) for name in names])
    for name in PICKED_BANKS:
        yield f"refnet/bank_full.{name}", banks[name]
    yield "refnet/bank_full.up_blocks.3.attentions.2_first32tokens", banks["up_blocks.3.attentions.2"][:, :32]


def keypoint_images(points: np.ndarray) -> np.ndarray:
    """(frames, 3, 2) -> (frames, 128, 128, 3) uint8."""
    return np.stack([draw_keypoints(frame, 128, 128) for frame in points])


def guider_input(model: VExpress, points: np.ndarray) -> Tensor:
    """(1, 3, frames, 128, 128) in 0..1."""
    return (_like(model, torch.from_numpy(keypoint_images(points))) / 255).permute(3, 0, 1, 2)[None]


def small_network_cases(model: VExpress, points: np.ndarray) -> Iterator[Case]:
    yield "guider/kps_images_u8", torch.from_numpy(keypoint_images(points))
    features = model.v_kps_guider(guider_input(model, points))[0]
    yield "guider/out_frames_0_5_stats", torch.stack([statistics(features[:, frame], 64) for frame in range(6)])
    yield "guider/out_frame_2_full", features[:, 2]
    rows = frame_windows(stretched(given("audio_encoder_out", 1, 37, 80)[0], 6), range(6))
    yield "audio/windows_37to6", rows
    yield "audio/projection_small_out", model.audio_projection(_like(model, rows))


def full_projection_case(dtype: torch.dtype) -> Iterator[Case]:
    projection = AudioProjection(FULL.audio_projection, FULL.unet.context_width)
    fill(projection, "audio_projection")
    yield "audio/projection_full_out_first2", projection.to(dtype)(given("audio_windows_full", 2, 10, 768).to(dtype))


def motion_cases(model: VExpress) -> Iterator[Case]:
    yield "motion/pe_c32", position_table(32, 32)[0]
    for name, video in (
        ("down_blocks.1.motion_modules.0", given("mm", 2, 64, 6, 8, 8)),
        ("up_blocks.3.motion_modules.2", given("mm32", 1, 32, 32, 2, 2)),
    ):
        frames = video.shape[2]
        moved = model.denoising_unet.get_submodule(name)(folded(_like(model, video)), frames)
        yield f"motion/{name}{'_f32' if frames == 32 else ''}", moved.unflatten(0, (-1, frames)).transpose(1, 2)[:1]


@dataclass(frozen=True)
class DenoisingInputs:
    """Of the two samples of the golden denoising runs, each with 6 frames."""

    noisy: Tensor
    conditions: Conditions

    @classmethod
    def of(cls, model: VExpress) -> "DenoisingInputs":
        banks = [portrait(model, name) for name in ("ref_latents", "ref_latents_2")]
        conditions = Conditions(
            kps_features=_like(model, 0.3 * given("kps_features", 2, 32, 6, 16, 16)),
            audio_tokens=_like(model, given("audio_tokens", 12, 5, 768)).unflatten(0, (2, 6)),
            reference={name: torch.cat([bank[name] for bank in banks]) for name in banks[0]},
        )
        return cls(_like(model, given("noisy_latents", 2, 4, 6, 16, 16)), conditions)

    def first(self) -> "DenoisingInputs":
        """The first sample."""
        both = self.conditions
        alone = Conditions(both.kps_features[:1], both.audio_tokens[:1], {name: bank[:1] for name, bank in both.reference.items()})
        return DenoisingInputs(self.noisy[:1], alone)


GENERATING = {"reference_weight": 0.95, "audio_weight": 3.0}


def denoising_cases(model: VExpress) -> Iterator[Case]:
    unet, both = model.denoising_unet, DenoisingInputs.of(model)
    one, at_500 = both.first(), torch.tensor([500])
    strong = replace(one.conditions, **GENERATING)
    yield "unet3d/cond_w1", unet(one.noisy, at_500, one.conditions)
    yield "unet3d/cond_wref0.95_waud3", unet(one.noisy, at_500, strong)
    yield "unet3d/cond_t999_wref0.95_waud3", unet(one.noisy, torch.tensor([999]), strong)
    yield "unet3d/uncond_w1", unet(one.noisy, at_500, one.conditions.nothing())
    yield "unet3d/batch2_t500_37_w1", unet(both.noisy, torch.tensor([500, 37]), both.conditions)
    yield "unet3d/cfg_wref0.95_waud3", torch.cat([unet(one.noisy, at_500, strong.nothing()), unet(one.noisy, at_500, strong)])


def trace_case(model: VExpress, names: list[str]) -> Iterator[Case]:
    """Outputs of the modules `names` in one denoising run."""
    unet, inputs, rows = model.denoising_unet, DenoisingInputs.of(model).first(), {}

    def keep(name: str) -> Callable[..., None]:
        def hook(_module: object, _inputs: object, output: Tensor) -> None:
            video = output if output.ndim == 2 else output.unflatten(0, (1, 6)).transpose(1, 2)
            rows[name] = statistics(video, 8)

        return hook

    hooks = [unet.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    unet(inputs.noisy, torch.tensor([500]), replace(inputs.conditions, **GENERATING))
    for hook in hooks:
        hook.remove()
    yield "unet3d/trace", torch.stack([rows[name] for name in names])


def sampling_cases(model: VExpress, points: np.ndarray) -> Iterator[Case]:
    for name, frames, steps, guidance, weights, seen in (
        ("ddim/6f_one_window_cfg3.5", 6, 4, 3.5, GENERATING, windows(6)),
        ("ddim/10f_two_windows_cfg3.5", 10, 4, 3.5, GENERATING, windows(10, size=6, overlap=2)),
        ("ddim/6f_noguidance_w1_2steps", 6, 2, 1.0, {}, windows(6)),
    ):
        rows = frame_windows(stretched(given("audio_encoder_out", 1, 37, 80)[0], frames), range(frames))
        conditions = Conditions(
            kps_features=model.v_kps_guider(guider_input(model, points)[:, :, :frames]),
            audio_tokens=model.audio_projection(_like(model, rows))[None],
            reference=portrait(model),
            **weights,
        )
        start = _like(model, given(f"init_latents_{frames}", 1, 4, frames, 16, 16))
        yield name, torch.stack(list(denoised(model.denoising_unet, start, conditions, steps=steps, guidance=guidance, seen_together=seen)))


@dataclass(frozen=True)
class TrainingRun:
    """One golden training step after its backward pass."""

    prediction: Tensor
    noisy: Tensor
    target: Tensor
    loss: float
    per_sample: list[float]
    grad_norms: dict[str, float]
    """Over all parameters, as `total`, and of the golden's groups of parameters."""
    tensors: dict[str, tuple[int, int]]
    """Of each group: how many tensors, and how many of them have no gradient or one of zeros."""


def training_run(model: VExpress, run: dict, points: np.ndarray, groups: list[list[str]], *, checkpointing: bool = False) -> TrainingRun:
    """The run that `run`, of the golden json, describes, on a fresh golden model; drops off, weights 1."""
    batch, frames = run["batch"], run["frames"]
    if run["zeroed"]:
        silence_new_parts(model.denoising_unet)
    trained = trained_in(run["stage"], useless_too=True)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(trained(name))
    model.use_checkpointing(denoising_unet=checkpointing, reference_net=checkpointing)

    def named(name: str, *shape: int) -> Tensor:
        return _like(model, given(f"train_b{batch}_f{frames}.{name}", *shape))

    latents = named("latents", batch, 4, frames, 16, 16)
    noise = named("noise", batch, 4, frames, 16, 16) + 0.05 * named("noise_offset", batch, 4, 1, 1, 1)
    times = torch.tensor(run["timesteps"])
    images = guider_input(model, points)
    kps = torch.cat([images[:, :, sample : sample + frames] for sample in range(batch)])
    noisy, target = add_noise(latents, noise, times), velocity(latents, noise, times)
    prediction = model(noisy, times, named("ref_latents", batch, 4, 16, 16), kps, named("audio_windows", batch, frames, 10, 80), _drops(model, run))
    loss = v_loss(prediction, target, times, lip_mask(batch, frames), run["lip_loss_weight"])
    loss.total.backward()
    norms, tensors = _gradients(model, groups)
    return TrainingRun(prediction.detach(), noisy, target, loss.total.item(), loss.per_sample.tolist(), norms, tensors)


def lip_mask(batch: int, frames: int) -> Tensor:
    """A soft-edged mouth."""
    mask = torch.zeros(batch, 1, frames, 16, 16)
    mask[..., 9:14, 4:12] = 0.5
    mask[..., 10:13, 5:11] = 1.0
    return mask


def _drops(model: VExpress, run: dict) -> Drops:
    none = torch.zeros(run["batch"], dtype=torch.bool)
    kept = torch.zeros(run["batch"], run["frames"], dtype=torch.bool)
    return Drops(none | run["unconditional"], none, dict.fromkeys(model.denoising_unet.attention_names(), kept))


def _gradients(model: VExpress, groups: list[list[str]]) -> tuple[dict[str, float], dict[str, tuple[int, int]]]:
    squares, tensors = {"total": 0.0}, {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        network, _, inside = name.partition(".")
        group = next(f"{owner}: {title}" for owner, title, pattern in groups if owner == network and re.search(pattern, inside))
        square = 0.0 if parameter.grad is None else parameter.grad.double().square().sum().item()
        squares["total"] += square
        squares[group] = squares.get(group, 0.0) + square
        count, empty = tensors.get(group, (0, 0))
        tensors[group] = count + 1, empty + (square == 0.0)
    return {group: square**0.5 for group, square in squares.items()}, tensors
