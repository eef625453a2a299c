"""A portrait and a sound become a video: `TalkVidInference`."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.about import about
from inference.driving_video import driving_keypoints
from inference.median import smoothed
from inference.networks import DTYPES, Checkpoint, Networks
from inference.on_disk import OnDisk
from inference.options import Options
from inference.portrait import Portrait, read_portrait
from inference.retargeting import Points, retargeted
from inference.sound import heard, tokens, whole_sound
from inference.video_conditions import VideoConditions
from inference.video_file import VideoFile
from schemas import storage
from schemas.errors import MissingError, UsageError
from training.model.conditions import Conditions
from training.model.context_windows import anchored_windows
from training.model.image_coder import SIDE_RATIO, mean_latents
from training.model.sampling import Guided, Predictor, Window, sampled, with_reference_keys
from udfs.audio import SAMPLE_RATE_HZ
from udfs.device import resolve, visible_gpus
from udfs.nets.threads import one_torch_thread
from udfs.scorer import Device

KEPT_FEATURE_BYTES = {"cpu": 256 << 20, "cuda": 1 << 30}
"""Of drawn key points, kept from step to step."""
ROOMY_GPU_BYTES = 20 << 30
"""A GPU with so much memory takes both passes of guidance in one batch; elsewhere that gains nothing or does not fit."""
NOISE_FRAMES = 256
"""Drawn at once."""
DECODED_AT_ONCE = {"cpu": 1, "cuda": 4}

Told = Callable[[float], None]
"""Is told what share of the work is done, 0..1, after every window and every few frames."""


@dataclass(frozen=True)
class Generated:
    """A video that was written. `duration_s` is that of its picture, `seconds` what it took."""

    output_path: str
    frames: int
    fps: float
    duration_s: float
    seconds: float
    width: int
    height: int
    seed: int
    model_fingerprint: str
    random: bool


class TalkVidInference:
    """Loads a trained model once and makes any number of videos with it.

    `checkpoint_path`: what `talkvid train --output` wrote, in a folder or a store, or the released layout. `device`: `auto`, `cpu`, `cuda`, `cuda:N`;
    with `devices`, several such names, the windows of a video are shared out to all of them. `dtype`: `fp32`, `fp16`, `bf16`; `auto` is fp32 on a CPU
    and bf16 on a GPU. `save_gpu_memory` makes videos slower on a smaller GPU. On a CPU everything runs in one thread, so that a video does not depend
    on the machine.
    Raises `MissingError` where there is no such model, GPU or frozen network.
    """

    def __init__(
        self,
        checkpoint_path: str | os.PathLike[str],
        device: str = "auto",
        *,
        devices: Sequence[str] | None = None,
        dtype: str = "auto",
        save_gpu_memory: bool = False,
    ) -> None:
        places = [_device(name) for name in devices or (device,)]
        if save_gpu_memory and len(places) > 1:
            raise UsageError("save_gpu_memory works with one device")
        chosen = dtype if dtype != "auto" else "fp32" if places[0].kind == "cpu" else "bf16"
        if chosen not in DTYPES:
            raise UsageError(f"there is no dtype {dtype!r}; choose one of auto, {', '.join(DTYPES)}")
        self.checkpoint = Checkpoint.at(os.fspath(checkpoint_path))
        self.model_fingerprint = self.checkpoint.fingerprint()
        self.networks = Networks(self.checkpoint, places, chosen, save_gpu_memory)

    @property
    def random(self) -> bool:
        """True where the weights began at random, so that what is made means nothing."""
        return self.model_fingerprint.startswith("random:")

    def generate(
        self,
        reference_image: str | os.PathLike[str],
        audio_file: str | os.PathLike[str],
        output_path: str | os.PathLike[str],
        *,
        kps_path: str | os.PathLike[str] | None = None,
        driving_video: str | os.PathLike[str] | None = None,
        options: Options | None = None,
        told: Told | None = None,
        **changes: Any,
    ) -> Generated:
        """Write the video of the portrait saying the sound: round(duration * fps) frames at exactly `fps`, with the sound.

        `changes` are fields of `Options` over `options`. Key points come from `kps_path`, else from `driving_video`; `fix_face` needs neither.
        The same inputs, options and seed give the same bytes on one kind of device, on however many of them.
        Raises `UsageError` for options that mean nothing or a place that cannot be written, and `Rejected` for an input that cannot be used (`no_face`,
        `no_audio`, `not_media`, `decode_error`, `vanished`, `too_large`); then no file is written.
        """
        started = time.monotonic()
        chosen = replace(options or Options(), **changes)
        width, height = chosen.image_width or self.checkpoint.side_px, chosen.image_height or self.checkpoint.side_px
        if chosen.retarget_strategy != "fix_face" and kps_path is None and driving_video is None:
            raise UsageError(f"retarget_strategy {chosen.retarget_strategy} needs kps_path or driving_video")
        storage.check_writable(os.fspath(output_path))
        with one_torch_thread() if self.networks.device.type == "cpu" else nullcontext(), torch.no_grad():
            with about("the sound", audio_file):
                sound = whole_sound(audio_file)
            frames = max(1, round(len(sound) / SAMPLE_RATE_HZ * chosen.fps))
            with about("the portrait", reference_image):
                portrait = read_portrait(reference_image, width, height, self.networks.faces)
            source = ("the key points", kps_path) if kps_path is not None else ("the driving video", driving_video)
            with about(*source):
                driving = self._driving(kps_path, driving_video, chosen, frames, width, height)
                points = retargeted(chosen.retarget_strategy, portrait.keypoints, driving, frames, as_released=chosen.retarget_as_released)
            progress = _Progress(told, frames, chosen)
            latents = self._latents(portrait, points, self._spoken(sound, frames), chosen, progress)
            del sound
            with VideoFile(os.fspath(output_path), audio_file, width, height, frames, chosen.fps) as file:
                for picture in self._pictures(latents, chosen, progress):
                    file.write(picture.permute(1, 2, 0).contiguous().cpu().numpy())
        return Generated(
            output_path=os.fspath(output_path),
            frames=frames,
            fps=chosen.fps,
            duration_s=frames / chosen.fps,
            seconds=time.monotonic() - started,
            width=width,
            height=height,
            seed=chosen.seed,
            model_fingerprint=self.model_fingerprint,
            random=self.random,
        )

    def _driving(
        self, kps_path: str | os.PathLike[str] | None, video: str | os.PathLike[str] | None, options: Options, frames: int, width: int, height: int
    ) -> Points | None:
        """Driving key points in px of the picture to make; None where they are not needed."""
        if options.retarget_strategy == "fix_face":
            return None
        if kps_path is not None:
            from inference.keypoint_file import read_keypoints

            points = read_keypoints(kps_path)
            return points if options.kps_size is None else points * ((width / options.kps_size, height / options.kps_size))
        return driving_keypoints(video, width, height, self.networks.faces, frames, options.fps)

    def _spoken(self, sound: NDArray[np.float32], frames: int) -> OnDisk:
        """What each frame hears, (1, frames, tokens, width)."""
        projection = self.networks.model.audio_projection
        with self.networks.at_work(projection):
            return tokens(projection, heard(self.networks.speech, sound), frames)

    def _latents(self, portrait: Portrait, points: Points, spoken: OnDisk, options: Options, progress: "_Progress") -> OnDisk:
        """Clean latents (frames, 4, h, w) of the whole video, float32."""
        networks, model = self.networks, self.networks.model
        height, width = portrait.pixels.shape[-2:]
        with networks.at_work(model.reference_net):
            banks = model.reference_net(mean_latents(networks.coder.moments(portrait.pixels)))
        same = Conditions(reference=banks, reference_weight=options.reference_attention_weight, audio_weight=options.audio_attention_weight)
        with networks.at_work(model.denoising_unet):
            latents = _noise((len(points), 4, height // SIDE_RATIO, width // SIDE_RATIO), options.seed)
            predictors: list[Predictor] = []
            for unet in networks.unets:
                kept = 0 if networks.sparing else KEPT_FEATURE_BYTES[networks.device.type] // len(networks.unets)
                of_video = VideoConditions(model.v_kps_guider, with_reference_keys(unet, same), points, spoken.tensor, width, height, kept)
                guided = Guided(unet, of_video, options.guidance_scale, together=networks.roomy(ROOMY_GPU_BYTES))
                predictors.append(progress.counting(_letting_go(guided, latents, spoken)))
            seen_together = anchored_windows(len(points), options.context_frames, options.context_overlap)
            for _ in sampled(predictors, latents.tensor.transpose(0, 1)[None], options.num_inference_steps, seen_together):
                pass  # in place
        return latents

    def _pictures(self, latents: OnDisk, options: Options, progress: "_Progress") -> Iterator[Tensor]:
        """Frames (3, H, W) as bytes, in order, a few at a time."""
        pictures = self._decoded(latents, progress)
        return smoothed(pictures) if options.median_filter else pictures

    def _decoded(self, latents: OnDisk, progress: "_Progress") -> Iterator[Tensor]:
        at_once = 1 if self.networks.sparing else DECODED_AT_ONCE[self.networks.device.type]
        for part in latents.tensor.split(at_once):
            yield from (self.networks.coder.decode(part).float() * 255).to(torch.uint8)
            latents.touched(part.nbytes)
            progress.decoded(len(part))


def _noise(shape: tuple[int, int, int, int], seed: int) -> OnDisk:
    """Latents (frames, channels, h, w) to begin with, float32: the numbers of `initial_noise`, whose frames come after channels. At 64 numbers and more
    a frame, parts of a drawing are what drawing the whole gives."""
    latents, generator = OnDisk(shape), torch.Generator().manual_seed(seed)
    for channel in range(shape[1]):
        for part in latents.tensor[:, channel].split(NOISE_FRAMES):
            part.copy_(torch.randn(part.shape, generator=generator))
            latents.touched(part.nbytes * shape[1])  # pages come in with those around them: of a frame, all channels
    return latents


def _letting_go(predict: Predictor, latents: OnDisk, spoken: OnDisk) -> Predictor:
    """The same predictor; what a window had to be read of and is written to is let go after it."""

    def predicted(window_latents: Tensor, timestep: int, window: Window) -> Tensor:
        v = predict(window_latents, timestep, window)
        latents.touched(window_latents.nbytes)
        spoken.touched(spoken.tensor[:, : len(window)].nbytes)
        return v

    return predicted


class _Progress:
    """Counts windows and decoded frames; decoding a frame counts as two of its passes through the UNet."""

    def __init__(self, told: Told | None, frames: int, options: Options) -> None:
        self._told, self._done = told, 0.0
        windows = anchored_windows(frames, options.context_frames, options.context_overlap)
        self._all = options.num_inference_steps * sum(map(len, windows)) + 2.0 * frames

    def counting(self, predict: Predictor) -> Predictor:
        """The same predictor, whose windows count."""

        def counted(latents: Tensor, timestep: int, window: Window) -> Tensor:
            v = predict(latents, timestep, window)
            self._add(len(window))
            return v

        return counted

    def decoded(self, frames: int) -> None:
        """So many frames are pictures now."""
        self._add(2.0 * frames)

    def _add(self, work: float) -> None:
        self._done += work
        if self._told is not None:
            self._told(min(1.0, self._done / self._all))


def _device(name: str) -> Device:
    kind, _, index = name.partition(":")
    if kind not in ("auto", "cpu", "cuda") or (index and not index.isdigit()):
        raise UsageError(f"there is no device {name!r}; it is auto, cpu, cuda or cuda:N")
    if resolve(kind) == "cpu":
        return Device("cpu")
    there = visible_gpus()
    if index and int(index) >= there > 0:
        raise MissingError(f"there is no GPU {name}; there are {there}, the last is cuda:{there - 1}")
    return Device("cuda", int(index or 0))


def all_gpus() -> list[str]:
    """Names of all GPUs of this machine; the CPU where there is none."""
    return [f"cuda:{index}" for index in range(visible_gpus())] or ["cpu"]
