"""The data stream of training: a pinned snapshot, through Petastorm, as one rank's batches (vexpress.md §11.5; stack.md §2).

The samples are a pure function of snapshot, settings and step: whatever the number of ranks and workers, and wherever it begins, sample
`i` is the same. So a resume needs the step alone.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np

from schemas.errors import MissingError, UsageError
from training.batch import Batch, SampleKey
from training.loader_process import LoaderProcess, Made
from training.order import OrderSettings
from training.sample import SampleSettings, SampleShape
from training.snapshot import GONE, Snapshot
from training.stream_work import Arrays, ClipList, StreamWork


@dataclass(frozen=True)
class StreamSettings:
    """`frames` and `batch_per_rank` are a stage's; `workers` processes are spawned, 0 makes samples in the caller's process.

    `flip` is the probability of mirroring a sample, none with cached `latents`, which are not of mirrored pictures.
    `reference_margin`: frames between the targets and the reference. `lanes_per_slot` and `window` mix the order (training/order.py).
    """

    frames: int
    batch_per_rank: int
    seed: int
    flip: float = 0.5
    workers: int = 2
    reference_margin: int = 30
    latents: bool = False
    lanes_per_slot: int = 4
    window: int = 2


class SampleStream:
    """Batches of one rank from `start_step` on, for ever; use it as a context manager, or `close` it.

    `sentences` says which clips are left out: those too short for a sample, and those removed since the snapshot was made; and that nothing
    is mirrored where `flip` asks for it. The order
    keeps the place of a removed clip, where the next clip that is there is shown instead, so all other samples stay what they were.
    Raises `UsageError` for settings that cannot be, `MissingError` when no clip is left.
    """

    def __init__(self, snapshot: Snapshot, settings: StreamSettings, rank: int = 0, world: int = 1, start_step: int = 0, device: Any = "cpu") -> None:
        self._loaders: list[LoaderProcess] = []
        self._here: Iterator[tuple[int, list[SampleKey], Arrays]] | None = None
        _check(snapshot, settings, rank, world, start_step)
        self.device, self.step = device, start_step
        flip = 0.0 if settings.latents else settings.flip
        sample = SampleSettings(settings.seed, settings.frames, flip, settings.reference_margin)
        clips, self.too_short, self.gone = _clips(snapshot, sample)
        self._mirrors_in_vain = settings.latents and settings.flip > 0
        self.clips_in_epoch = len(clips.clip_ids)
        order = OrderSettings(settings.seed, settings.batch_per_rank * world, settings.lanes_per_slot, settings.window)
        shape = SampleShape(settings.batch_per_rank, settings.frames, snapshot.side_px, snapshot.audio_width, settings.latents)
        stride = max(1, settings.workers)
        parts = [StreamWork(clips, order, sample, shape, rank, start_step + number, stride) for number in range(stride)]
        self._shortest = sample.shortest
        if not settings.workers:
            self._here = parts[0].batches(lambda: {name: np.empty(*array) for name, array in shape.arrays().items()})
        try:
            for part in parts[: settings.workers]:
                self._loaders.append(LoaderProcess(part))
        except BaseException:
            self.close()
            raise

    @property
    def sentences(self) -> list[str]:
        """What to print of clips that are left out, and of mirroring that cannot be."""
        said = [f"{self.too_short} clips are shorter than the {self._shortest} frames that a sample needs: left out"] if self.too_short else []
        said += [f"{self.gone} clips were removed since the snapshot was made: skipped"] if self.gone else []
        return said + (["no sample is mirrored, whatever flip says: the cached latents are of pictures as they are"] if self._mirrors_in_vain else [])

    def __iter__(self) -> "SampleStream":
        return self

    def __next__(self) -> Batch:
        with self._made() as made:
            return as_batch(made, self.device)

    def next_packed(self) -> tuple[list[SampleKey], Arrays]:
        """The next batch as it comes from the loader: keys, and pictures, key points and masks in bytes. For measuring and looking."""
        with self._made() as made:
            return made.keys, {name: array.copy() for name, array in made.arrays.items()}

    @contextlib.contextmanager
    def _made(self) -> Iterator[Made]:
        if self._here is not None:
            yield Made(*next(self._here))
        else:
            if not self._loaders:
                raise UsageError("the data stream is closed")
            # Process k makes every stride-th step from start_step + k on, so they take turns.
            loader = self._loaders.pop(0)
            self._loaders.append(loader)
            with loader.next() as made:
                yield made
        self.step += 1

    def close(self) -> None:
        """End the loader processes."""
        while self._loaders:
            self._loaders.pop().close()
        self._here = None

    def __enter__(self) -> "SampleStream":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def as_batch(made: Made, device: Any = "cpu") -> Batch:
    """The batch as the trainer takes it, float32 on a device; bytes travel there and are spread out there."""
    import torch

    moved = {name: torch.from_numpy(array).to(device) for name, array in made.arrays.items()}
    pictures, moments = moved.get("pictures"), moved.get("moments")

    def floats(values: torch.Tensor, *order: int) -> torch.Tensor:
        return values.permute(order).to(torch.float32, memory_format=torch.contiguous_format)

    def signed(values: torch.Tensor) -> torch.Tensor:
        return values.div_(127.5).sub_(1.0)

    return Batch(
        step=made.step,
        samples=made.keys,
        targets=None if pictures is None else signed(floats(pictures[:, :-1], 0, 4, 1, 2, 3)),
        references=None if pictures is None else signed(floats(pictures[:, -1], 0, 3, 1, 2)),
        target_moments=None if moments is None else floats(moments[:, :-1], 0, 2, 1, 3, 4),
        reference_moments=None if moments is None else floats(moments[:, -1], 0, 1, 2, 3),
        kps_images=floats(moved["keypoints"], 0, 4, 1, 2, 3).div_(255.0),
        audio_windows=moved["audio"].clone(),
        lip_masks=floats(moved["masks"], 0, 1, 2, 3)[:, None].div_(255.0),
    )


def _check(snapshot: Snapshot, settings: StreamSettings, rank: int, world: int, start_step: int) -> None:
    least = {"frames": settings.frames, "batch_per_rank": settings.batch_per_rank, "lanes_per_slot": settings.lanes_per_slot, "world": world}
    for name, value in least.items():
        if value < 1:
            raise UsageError(f"{name} must be 1 or more, not {value}")
    for name, value in {"workers": settings.workers, "reference_margin": settings.reference_margin, "seed": settings.seed, "step": start_step}.items():
        if value < 0:
            raise UsageError(f"{name} must not be negative, and is {value}")
    if not 0 <= settings.flip <= 1:
        raise UsageError(f"flip is a probability from 0 to 1, not {settings.flip}")
    if not 0 <= rank < world:
        raise UsageError(f"there is no rank {rank} among {world}")
    if settings.latents and snapshot.latents is None:
        raise MissingError("the snapshot's samples have no cached latents, or not all the same: talkvid prepare --cache-latents")


def _clips(snapshot: Snapshot, sample: SampleSettings) -> tuple[ClipList, int, int]:
    """The clips that hold a sample, and how many are too short or gone; a clip that is gone has the next one that is there in its place."""
    long_enough = [number for number, frames in enumerate(snapshot.frames) if frames >= sample.shortest]
    there = [number for number in long_enough if snapshot.places[number] != GONE]
    if not there:
        raise MissingError(
            f"none of the snapshot's {len(snapshot)} clips can be trained on: a sample needs {sample.shortest} frames "
            f"({sample.frames} targets, {sample.reference_margin} between them and the reference)"
        )
    after = np.searchsorted(there, long_enough) % len(there)
    shown = [there[place] for place in after]
    clips = ClipList(
        tuple(snapshot.clip_ids[number] for number in shown),
        np.array([snapshot.frames[number] for number in shown], np.int64),
        np.array([snapshot.units[number] for number in long_enough], np.int64),
        np.array([snapshot.places[number] for number in shown], np.int64),
        tuple(file.uri for file in snapshot.files),
    )
    return clips, len(snapshot) - len(long_enough), len(long_enough) - len(there)
